package store

import "testing"

func TestPhoneKey(t *testing.T) {
	for _, c := range []struct{ a, b string }{
		{"8 (916) 123-45-67", "+7 916 1234567"},
		{"9161234567", "+79161234567"},
		{"007 495 000-00-01", "+7 (495) 0000001"},
		{"+7 495 000-00-01 доб. 12", "8(495)000-00-01 ext 12"},
		{"tel:+49-30-000-00", "+49 30 00000"},
		{"12-34-56", "123456"},
	} {
		if a, b := phoneKey(c.a), phoneKey(c.b); a != b || a == "" {
			t.Errorf("%s is %s, %s is %s", c.a, a, c.b, b)
		}
	}
	for _, c := range []struct{ a, b string }{
		{"+7 495 000-00-01 доб. 12", "+7 495 000-00-01 доб. 13"},
		{"+7 495 000-00-01", "+7 495 000-00-01 доб. 13"},
		{"+1 495 000 0001", "+7 495 000 0001"},
		{"+81234567890", "+71234567890"},
	} {
		if a, b := phoneKey(c.a), phoneKey(c.b); a == b {
			t.Errorf("%s and %s are both %s", c.a, c.b, a)
		}
	}
	if k := phoneKey("доб. 12"); k != "" {
		t.Errorf("an extension alone is %s", k)
	}
}

func TestNameMatch(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"Пётр Иванов", "Иванов Петр", 2},
		{"Иванов П. С.", "Пётр Сергеевич Иванов", 1},
		{"Иванов П.С.", "Пётр Иванов", 1},
		{"Иванов П.", "Пётр Сергеевич Иванов", 1},
		{"Dmitry Khokhlov", "Хохлов Дмитрий Юрьевич", 2},
		{"Yuriy Alexeev", "Юрий Алексеев", 2},
		{"Shchukina, Julia", "Юлия Щукина", 1}, // Iulia and Julia meet, too
		{"Ю. Щукина", "Yulia Shchukina", 1},
		{"г-н Иванов", "Иванов", 1},
		{"Иванов Пётр", "Иванов Олег", -1},
		{"Иванов", "Иванова", -1},
		{"Пётр", "Olga", -1},
		{"П. И.", "Пётр Иванов", -1}, // initials alone are anybody's
		{"info@romashka.test", "Пётр Иванов", 0},
		{"", "Пётр Иванов", 0},
		{"--", "Пётр", 0},
	} {
		if got := nameMatch(c.a, c.b); got != c.want && !(c.want == 1 && got == 2) {
			t.Errorf("%q and %q: %d, want %d", c.a, c.b, got, c.want)
		}
		if one, other := nameMatch(c.a, c.b), nameMatch(c.b, c.a); one != other {
			t.Errorf("%q and %q: %d one way, %d the other", c.a, c.b, one, other)
		}
	}
}
