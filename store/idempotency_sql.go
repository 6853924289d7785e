package store

import (
	"fmt"
	"time"
)

// Reply is what a request that must not be done twice was answered with.
type Reply struct {
	Status int               `json:"-"`
	Header map[string]string `json:"header"`
	Body   []byte            `json:"-"`
}

// Bounds of the answers that are kept: how long, how many of one integration,
// and after how many new ones the rest is forgotten.
const (
	answersKept   = 24 * time.Hour
	answersMost   = 100_000
	answersForget = 1000
)

// Once looks up an Idempotency-Key of the integration that acts. The answer of
// the request that used it before is given again; nil: it is new, and claimed
// by this import, which ends with Keep. ErrConflict where that request was
// another one; request is a hash of it. Where two come at the same time, the
// second waits for the first.
func (im *Import) Once(key, request string) (*Reply, error) {
	t := im.t
	if im.actor.IntegrationID == 0 {
		return nil, fmt.Errorf("idempotency key %q without an integration", clip(key, 80))
	}
	if t.s.answers.Add(1)%answersForget == 1 {
		if err := t.forgetAnswers(im.actor.IntegrationID); err != nil {
			return nil, err
		}
	}
	args := []any{im.actor.IntegrationID, key, request, t.now.Unix(), t.now.Add(-answersKept).Unix()}
	n, err := t.exec(`INSERT INTO idempotency (integration_id, idempotency_key, request, at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (integration_id, idempotency_key) DO UPDATE SET request = $3, at = $4, status = 0 WHERE idempotency.at < $5`, args...)
	if err != nil || n > 0 {
		return nil, err
	}
	var was string
	a := &Reply{}
	err = t.row(`SELECT request, status, header, body FROM idempotency WHERE integration_id = $1 AND idempotency_key = $2`, args[:2],
		&was, &a.Status, jsonInto{&a.Header}, &a.Body)
	if err == nil && was != request {
		err = ErrConflict
	}
	return a, err
}

// Keep keeps the answer of a request that Once let through, in the same
// transaction as what the request did.
func (im *Import) Keep(key string, a Reply) error {
	_, err := im.t.exec(`UPDATE idempotency SET status = $1, header = $2, body = $3 WHERE integration_id = $4 AND idempotency_key = $5`,
		a.Status, asJSON(a.Header), a.Body, im.actor.IntegrationID, key)
	return err
}

// forgetAnswers drops those that are too old, and the oldest of too many.
func (t *tx) forgetAnswers(integration int64) error {
	if _, err := t.exec(`DELETE FROM idempotency WHERE at < $1`, t.now.Add(-answersKept).Unix()); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM idempotency WHERE integration_id = $1 AND idempotency_key IN
		(SELECT idempotency_key FROM idempotency WHERE integration_id = $1 ORDER BY at DESC LIMIT 1000000 OFFSET $2)`, integration, answersMost)
	return err
}
