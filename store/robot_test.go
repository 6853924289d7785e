package store

import "testing"

func TestIsRobot(t *testing.T) {
	for _, address := range []string{"noreply@x.test", "no-reply@x.test", "No.Reply@x.test", "do-not-reply@x.test", "notreply@x.test", "mailer-daemon@x.test", "postmaster@x.test",
		"bounces@x.test", "bounce+a=b.test@x.test", "anna=vector.test@x.test", "notifications@x.test", "newsletter@x.test", "list-owner@x.test", "list-request@x.test",
		"reply+abc@x.test", "r+12ab@x.test", "sales-bounces@x.test", "a1b2c3d4e5f6a7b8c9d0e1f2@x.test", "averyveryveryveryveryveryveryverylongname@x.test"} {
		if !isRobot(address) {
			t.Errorf("%s is taken for somebody", address)
		}
	}
	for _, address := range []string{"petr@x.test", "info@x.test", "r-smith@x.test", "r@x.test", "ivan.ivanov1985@x.test", "nora.plym@x.test", "noreen@x.test", "anna+shop@x.test", "robotov@x.test",
		"bouncey@x.test", "rootov.ivan@x.test", "konstantin.konstantinopolsky@x.test", "п.иванов@почта.рф", ""} {
		if isRobot(address) {
			t.Errorf("%s is taken for a program's", address)
		}
	}
	for name, want := range map[string]string{`"Пётр  Иванов"`: "Пётр Иванов", "petr@x.test": "", "'Petr'": "Petr", "Petr <petr@x.test>": "", "": "", "a\x00b": "ab"} {
		if got := heardName(name); got != want {
			t.Errorf("heardName(%q) = %q, want %q", name, got, want)
		}
	}
}
