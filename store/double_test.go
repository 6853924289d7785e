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
		{"Иванов П. С.", "Пётр Сергеевич Иванов", 3},
		{"Иванов П.С.", "Пётр Иванов", 2},
		{"Иванов П.", "Пётр Сергеевич Иванов", 2},
		{"Иванов Г.", "Пётр Иванов", -1},
		{"Dmitry Khokhlov", "Хохлов Дмитрий Юрьевич", 2},
		{"Yuriy Alexeev", "Юрий Алексеев", 2},
		{"Shchukina, Yulia", "Юлия Щукина", 2},
		{"Ю. Щукина", "Julia Shchukina", 2},
		{"Щ. Юлия", "Yulia Shchukina", 2},
		{"г-н Иванов", "Иванов", 1},
		{"Ольга", "Ольга Петрова", 1},
		{"Иванов Пётр", "Иванов Олег", -1},
		{"Иванов", "Иванова", -1},
		{"Пётр", "Olga", -1},
		{"П. И.", "Пётр Иванов", -1}, // initials alone are anybody's
		{"info@romashka.test", "Пётр Иванов", 0},
		{"", "Пётр Иванов", 0},
		{"--", "Пётр", 0},
	} {
		if got := nameMatch(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %d, want %d", c.a, c.b, got, c.want)
		}
		if one, other := nameMatch(c.a, c.b), nameMatch(c.b, c.a); one != other {
			t.Errorf("%q and %q: %d one way, %d the other", c.a, c.b, one, other)
		}
	}
}

func TestAlikePersons(t *testing.T) {
	person := func(name, email, phone string) *Person {
		return &Person{Name: name, Emails: []string{email}, Phones: []string{phone}}
	}
	for _, c := range []struct {
		why  string
		a, b *Person
		want likeness
	}{
		{"one address, names that fit", person("Ольга", "o@x.test", ""), person("Петрова Ольга", "o@x.test", ""), certain},
		{"one address, no name", person("o@x.test", "o@x.test", ""), person("Ольга", "o@x.test", ""), certain},
		{"one address, two names", person("Ольга", "o@x.test", ""), person("Игорь", "o@x.test", ""), doubtful},
		{"the company's address", person("Ольга", "info@x.test", ""), person("Игорь", "info@x.test", ""), different},
		{"the company's address, a given name", person("Ольга", "info@x.test", ""), person("Ольга Ким", "info@x.test", ""), different},
		{"the company's address, one name", person("Ольга Ким", "info@x.test", ""), person("Ким О.", "info@x.test", ""), certain},
		{"one phone, one name", person("Ольга Ким", "a@x.test", "+7 495 000-00-01"), person("Olga Kim", "b@x.test", "84950000001"), certain},
		{"one phone, a given name", person("Ольга", "a@x.test", "+7 495 000-00-01"), person("Ольга Ким", "b@x.test", "84950000001"), doubtful},
		{"one phone, two names", person("Ольга Ким", "a@x.test", "+7 495 000-00-01"), person("Игорь Ким", "b@x.test", "84950000001"), different},
		{"one name", person("Ольга Ким", "a@x.test", ""), person("Ольга Ким", "b@x.test", ""), doubtful},
		{"a given name", person("Ольга", "a@x.test", ""), person("Ольга", "b@x.test", ""), different},
	} {
		if got, turned := alikePersons(c.a, c.b), alikePersons(c.b, c.a); got != c.want || turned != c.want {
			t.Errorf("%s: %d, turned %d, want %d", c.why, got, turned, c.want)
		}
	}
}
