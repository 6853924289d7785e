package mailsync

import (
	"slices"
	"strings"
	"testing"

	"intouch/store"
)

// Replies as mail programs write them: what their authors wrote is read, and
// where the token is.
func TestReadReply_Programs(t *testing.T) {
	token := strings.Repeat("0a1b2c3d", 4)
	plus, id := "intouch+"+token+"@vector.test", "<intouch."+token+"@vector.test>"
	plain := "Content-Type: text/plain; charset=utf-8\r\n"
	for name, c := range map[string]struct{ head, body, want string }{
		"Thunderbird":    {"To: Intouch <" + plus + ">\r\nContent-Type: text/plain; charset=UTF-8; format=flowed\r\n", "1 done, 3 +2d\r\n\r\nAm 25.11.2026 um 08:00 schrieb Intouch:\r\n> 1. 20 ноября  Звонок: Договор\r\n>   ООО «Ромашка»\r\n\r\n-- \r\nAnna Sokolova\r\nVector", "1 done, 3 +2d"},
		"Apple Mail":     {"To: intouch@vector.test\r\nIn-Reply-To: " + id + "\r\nReferences: " + id + "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n", "=D0=B3=D0=BE=D1=82=D0=BE=D0=B2=D0=BE\r\n\r\n> On 25 Nov 2026, at 08:00, Intouch <intouch@vector.test> wrote:\r\n>=20\r\n> 1. x\r\n", "готово"},
		"iOS":            {"To: " + plus + "\r\n" + plain, "завтра 10:00\r\n\r\nОтправлено с iPhone\r\n\r\n> 25 нояб. 2026 г., в 08:00, Intouch <intouch@vector.test> написал(а):\r\n> \r\n> 1. x\r\n", "завтра 10:00"},
		"Outlook":        {"To: " + plus + "\r\nContent-Type: text/html; charset=utf-8\r\n", `<html><body><div class="WordSection1"><p class="MsoNormal">2: завтра<o:p></o:p></p><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm"><p class="MsoNormal"><b>From:</b> Intouch &lt;intouch@vector.test&gt;<br><b>Sent:</b> Wednesday, November 25, 2026 8:00 AM<br><b>To:</b> Anna<br><b>Subject:</b> Intouch: 5 overdue</p></div><p class="MsoNormal">1. Call</p></div></body></html>`, "2: завтра"},
		"Gmail":          {"To: " + plus + "\r\nContent-Type: text/html; charset=utf-8\r\n", `<div dir="ltr">1 done<br>2 +1w</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Wed, Nov 25, 2026 at 8:00 AM Intouch &lt;<a href="mailto:intouch@vector.test">intouch@vector.test</a>&gt; wrote:<br></div><blockquote class="gmail_quote"><div>1. Call</div></blockquote></div>`, "1 done\n2 +1w"},
		"Yandex":         {"To: " + plus + "\r\nContent-Type: text/html; charset=utf-8\r\n", `<div>отмена</div><div>&nbsp;</div><div>25.11.2026, 08:00, "Intouch" &lt;intouch@vector.test&gt;:</div><blockquote><div>1. Звонок</div></blockquote>`, "отмена"},
		"plus stripped":  {"To: intouch@vector.test\r\nReferences: <x@y.test> " + id + "\r\n" + plain, "done\r\n", "done"},
		"envelope only":  {"To: undisclosed:;\r\nDelivered-To: " + plus + "\r\n" + plain, "done\r\n", "done"},
		"no token":       {"To: intouch@vector.test\r\n" + plain, "done\r\n", ""},
		"auto-reply":     {"To: " + plus + "\r\nAuto-Submitted: auto-replied\r\n" + plain, "done\r\n", ""},
		"bulk":           {"To: " + plus + "\r\nPrecedence: bulk\r\n" + plain, "done\r\n", ""},
		"list":           {"To: " + plus + "\r\nList-Id: <x.test>\r\n" + plain, "done\r\n", ""},
		"empty sender":   {"To: " + plus + "\r\nReturn-Path: <>\r\n" + plain, "done\r\n", ""},
		"from a client":  {"From: x@client.test\r\nTo: " + plus + "\r\n" + plain, "done\r\n", ""},
		"wants no reply": {"To: " + plus + "\r\nX-Auto-Response-Suppress: All\r\n" + plain, "done\r\n", "done"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := c.head + "Message-ID: <r@vector.test>\r\nSubject: Re: Intouch\r\nMIME-Version: 1.0\r\n\r\n" + c.body
			if !strings.HasPrefix(raw, "From:") {
				raw = "From: Anna <anna@vector.test>\r\n" + raw
			}
			l := ReadMessage([]byte(raw), received)
			r := readReply(l.Header, []byte(raw), &store.Parties{OwnAddrs: map[string]int64{"anna@vector.test": 1}})
			if c.want == "" {
				if r != nil {
					t.Fatalf("%+v", r)
				}
				return
			}
			if r == nil || !slices.Equal(r.Tokens, []string{token}) || r.From != "anna@vector.test" || r.Quiet != (name == "wants no reply") {
				t.Fatalf("%+v", r)
			}
			if got := strings.TrimSpace(l.Text); got != c.want {
				t.Errorf("text %q, want %q", got, c.want)
			}
		})
	}
}
