package mailer

import (
	"errors"
	"fmt"
	"net/textproto"
	"strings"

	"github.com/emersion/go-smtp"
)

// Stage of a delivery, as RFC 5321 names the commands.
type Stage string

const (
	StageHello Stage = "EHLO" // greeting, EHLO and STARTTLS
	StageAuth  Stage = "AUTH"
	StageMail  Stage = "MAIL"
	StageRcpt  Stage = "RCPT"
	StageData  Stage = "DATA"
	StageReset Stage = "RSET"
)

// Refused is a server's answer of 4xx or 5xx (RFC 5321 section 4.2.1): it was
// reached and said no. Any other error of a Session is trouble with the
// connection, of which nothing is known but that it should be tried again.
type Refused struct {
	Code      int    // 450, 550, …
	Enhanced  string // "5.1.1" (RFC 3463), "" when the server gave none
	Text      string // as the server said it, one line, bounded
	Permanent bool   // 5xx
	Stage     Stage
}

func (e *Refused) Error() string {
	if e.Enhanced != "" {
		return fmt.Sprintf("%s refused: %d %s %s", e.Stage, e.Code, e.Enhanced, e.Text)
	}
	return fmt.Sprintf("%s refused: %d %s", e.Stage, e.Code, e.Text)
}

// ThisMail reports whether the refusal is of this mail for good, its
// recipient or its content. A 5xx to the login or to the sender is a fault of
// the settings: the mail can still go out once that is mended.
func (e *Refused) ThisMail() bool {
	if !e.Permanent {
		return false
	}
	switch e.Stage {
	case StageRcpt, StageData:
		return true
	case StageMail:
		return e.Code == 552 // exceeds the server's size (RFC 1870 section 6.2)
	}
	return false
}

// refusal makes a *Refused of an answer that is a refusal, and else names the
// stage.
func refusal(stage Stage, err error) error {
	var reply *smtp.SMTPError
	if plain := (*textproto.Error)(nil); errors.As(err, &plain) {
		reply = &smtp.SMTPError{Code: plain.Code, Message: plain.Msg}
		var e smtp.EnhancedCode
		if n, _ := fmt.Sscanf(plain.Msg, "%d.%d.%d ", &e[0], &e[1], &e[2]); n == len(e) && e[0] == plain.Code/100 { // at the head of each line (RFC 2034 section 4)
			code, rest, _ := strings.Cut(plain.Msg, " ")
			reply.EnhancedCode, reply.Message = e, strings.ReplaceAll(rest, "\n"+code+" ", "\n")
		}
		err = reply
	}
	if errors.As(err, &reply) && reply.Code >= 400 && reply.Code <= 599 {
		r := &Refused{Code: reply.Code, Text: OneLine(reply.Message, 300), Permanent: reply.Code >= 500, Stage: stage}
		if e := reply.EnhancedCode; e[0] == reply.Code/100 {
			r.Enhanced = fmt.Sprintf("%d.%d.%d", e[0], e[1], e[2])
		}
		return r
	}
	if reply != nil { // 250 where 354 was due, and the like
		return fmt.Errorf("%s: the server answered %d out of turn", stage, reply.Code)
	}
	return fmt.Errorf("%s: %w", stage, err)
}
