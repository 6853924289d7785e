package mailsync

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseAddresses(t *testing.T) {
	check := func(in string, want ...string) {
		t.Helper()
		var got []string
		for _, a := range parseAddresses(in) {
			got = append(got, a.Name+"|"+a.Addr)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q:\n got %q\nwant %q", in, got, want)
		}
	}
	check(``)
	check(`anna@x.test`, "|anna@x.test")
	check(`Anna <Anna@X.TEST>`, "Anna|anna@x.test")
	check(`"Smirnova, Anna" <anna@x.test>, tom@y.test (Tom Brown)`, "Smirnova, Anna|anna@x.test", "Tom Brown|tom@y.test")
	check(`=?utf-8?B?0JDQvdC90LA=?= <anna@x.test>`, "Анна|anna@x.test")
	check(`"=?utf-8?B?0JDQvdC90LA=?=" <anna@x.test>`, "Анна|anna@x.test")
	check(`=?koi8-r?Q?=E1=CE=CE=C1?= =?koi8-r?Q?_=E2?= <anna@x.test>`, "Анна Б|anna@x.test")
	check("\xc0\xed\xed\xe0 \xd1\xec\xe8\xf0\xed\xee\xe2\xe0 <anna@x.test>", "Анна Смирнова|anna@x.test")
	check(`почта@ромашка.рф`, "|почта@xn--80aa3agjl3d.xn--p1ai")
	// One bad address does not lose its neighbours.
	check(`Tom <tom@y.test>, broken <, "unclosed <anna@x.test>`, "Tom|tom@y.test", "unclosed|anna@x.test")
	check(`a@x.test; b@y.test;`, "|a@x.test", "|b@y.test")
	check(`a@x.test,,b@y.test, @, <>, c@`, "|a@x.test", "|b@y.test")
	check(`Team: a@x.test, Bob <b@y.test>;, c@z.test`, "|a@x.test", "Bob|b@y.test", "|c@z.test")
	check(`undisclosed-recipients:;`)
	check(`<@relay.test,@b.test:anna@x.test>`, "|anna@x.test")
	check(`'anna@x.test' <'anna@x.test'>`, "|anna@x.test")
	check(`mailto:anna@x.test`, "|anna@x.test")
	check(`Anna anna@x.test`, "Anna|anna@x.test")
	check(`anna @ x.test`, "|anna@x.test")
	check(`"anna@good.test" <evil@bad.test>`, "anna@good.test|evil@bad.test")
	check(`Anna (work (main)) <anna@x.test>`, "Anna|anna@x.test")
	check(`Anna (unclosed <anna@x.test>`, "Anna (unclosed|anna@x.test")
	check(`"Anna \"A\" S." <anna@x.test>`, `Anna "A" S.|anna@x.test`)
	check(`anna@x.test, ANNA@x.test`, "|anna@x.test")
	check("a\x00nna@x.test <b@y.test>", "anna@x.test|b@y.test")
	check(`x@`+strings.Repeat("a", 64)+`.test, b@y.test`, "|b@y.test")
	check(`/O=EXCHANGE/OU=FIRST/CN=ANNA, b@y.test`, "|b@y.test")
}

// Many recipients and hostile lists cost bounded time and memory.
func TestParseAddresses_Bounded(t *testing.T) {
	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, "Name %d <n%d@x.test>, ", i, i)
	}
	if got := parseAddresses(many.String()); len(got) != maxAddresses {
		t.Errorf("%d addresses kept", len(got))
	}
	for _, s := range []string{`"`, `(`, `<`, `<@`, `@`, `a@ `, `:`, `\"`, `,`, `=?`, `=?utf-8?q?`, `("<`, `@:`} {
		parseAddresses(strings.Repeat(s, maxHeader/len(s)))
	}
}
