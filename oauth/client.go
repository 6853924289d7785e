package oauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"

	"golang.org/x/oauth2"
)

// maxAnswer bounds an answer of a provider: a token of Microsoft has some
// 3 KB.
const maxAnswer = 64 << 10

// Error is what came of an exchange that gave no token. Code and Description
// are the provider's (RFC 6749 section 5.2), without anything secret.
type Error struct {
	Step        string
	Code        string // "invalid_grant"; "" when no answer could be understood
	Description string
	Err         error // of the network; nil when the provider answered
}

func (e *Error) Error() string {
	text := e.Step + ": "
	switch {
	case e.Err != nil:
		return text + e.Err.Error()
	case e.Code == "":
		return text + e.Description
	case e.Description == "":
		return text + "the provider says " + e.Code
	}
	return text + "the provider says " + e.Code + ": " + e.Description
}

func (e *Error) Unwrap() error { return e.Err }

// NeedsLogin reports whether only a person mends the error, by consenting
// again: the refresh token is expired, revoked or used up (RFC 6749 section
// 5.2), or the provider wants to see the person (OpenID Connect Core section
// 3.1.2.6, which Microsoft sends here too).
func NeedsLogin(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case "invalid_grant", "interaction_required", "login_required", "consent_required":
		return true
	}
	return false
}

// code is the provider's code in an error of the library.
func code(err error) string {
	var answer *oauth2.RetrieveError
	if errors.As(err, &answer) {
		return answer.ErrorCode
	}
	return ""
}

// failure makes an error that may be shown: the library's holds the whole
// answer, and a provider's text may repeat what it was asked.
func failure(step string, err error, secrets []string) error {
	var answer *oauth2.RetrieveError
	var network *Error
	switch {
	case errors.As(err, &network):
		return &Error{Step: step, Description: network.Description, Err: network.Err}
	case errors.As(err, &answer) && answer.ErrorCode != "":
		return &Error{Step: step, Code: oneLine(hide(answer.ErrorCode, secrets), 60), Description: oneLine(hide(answer.ErrorDescription, secrets), 300)}
	case errors.As(err, &answer):
		return &Error{Step: step, Description: "the provider answered " + oneLine(answer.Response.Status, 60)}
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &Error{Step: step, Err: err}
	}
	return &Error{Step: step, Description: oneLine(hide(err.Error(), secrets), 300)}
}

func hide(text string, secrets []string) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "(hidden)")
		}
	}
	return text
}

// oneLine makes one line of printable text of at most that many runes.
func oneLine(s string, most int) string {
	runes := []rune(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) }), " "))
	if len(runes) > most {
		runes = append(runes[:most-1], '…')
	}
	return string(runes)
}

// withClient gives the library our HTTP client.
func withClient(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{
		Transport: &exchanger{ctx},
		// A provider has no reason to send tokens and secrets elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	})
}

// transport is shared, so that connections are kept.
var transport http.RoundTripper = func() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxResponseHeaderBytes = maxAnswer
	t.MaxIdleConns, t.IdleConnTimeout = 4, 10*time.Second
	return t
}()

// exchanger makes a request of the library and reads its whole answer, in
// bounded time: the library does not end some requests with the context, nor
// close some answers.
type exchanger struct{ ctx context.Context }

func (x *exchanger) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), exchangeTime)
	defer cancel()
	defer context.AfterFunc(x.ctx, cancel)()
	resp, err := transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, &Error{Err: fmt.Errorf("reach %s: %w", req.URL.Host, err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, &Error{Err: fmt.Errorf("read the answer of %s: %w", req.URL.Host, err)}
	case len(body) > maxAnswer:
		return nil, &Error{Description: fmt.Sprintf("%s answered with more than %d bytes", req.URL.Host, maxAnswer)}
	case string(bytes.TrimSpace(body)) == "null": // the library follows a nil pointer
		return nil, &Error{Description: req.URL.Host + " answered with nothing"}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}
