package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// TokenKeys seal the tokens that open mailboxes, so that who has the database,
// or a backup of it, cannot read anybody's mail. They are kept outside of it.
// Printing them shows nothing.
type TokenKeys struct {
	first string                 // name of the one that seals
	open  map[string]cipher.AEAD // by name; all of them open
}

func (TokenKeys) String() string       { return "(hidden)" }
func (TokenKeys) GoString() string     { return "(hidden)" }
func (TokenKeys) LogValue() slog.Value { return slog.StringValue("(hidden)") }

// sealedToken begins what is sealed; then come the key's name, a colon, and the
// nonce and the sealed text in base64. What begins otherwise is of a time
// without a key.
const sealedToken = "sealed:"

// mostTokenKeys bounds how many keys there may be during a rotation.
const mostTokenKeys = 10

// ErrTokenKey: a token is sealed with a key that was not given.
var ErrTokenKey = errors.New("the token is sealed with another key than those of store.token_key: give that key too, or log in anew")

// ReadTokenKeys reads keys as a file or a variable has them: each is 32 bytes
// in 64 hexadecimal digits, with white space between them. The first one seals,
// all of them open. Errors show nothing of a key.
func ReadTokenKeys(text string) (k TokenKeys, err error) {
	words := strings.Fields(text)
	if len(words) == 0 || len(words) > mostTokenKeys {
		return k, fmt.Errorf("%d keys are given, 1 to %d are possible", len(words), mostTokenKeys)
	}
	k.open = map[string]cipher.AEAD{}
	for i, word := range words {
		key, err := hex.DecodeString(word)
		if err != nil || len(key) != 32 {
			return TokenKeys{}, fmt.Errorf("key %d is not 64 hexadecimal digits, as \"openssl rand -hex 32\" makes them", i+1)
		}
		block, err := aes.NewCipher(key)
		if err != nil {
			return TokenKeys{}, err
		}
		seal, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return TokenKeys{}, err
		}
		sum := sha256.Sum256(append([]byte("intouch token key "), key...))
		name := hex.EncodeToString(sum[:4])
		if i == 0 {
			k.first = name
		}
		k.open[name] = seal
	}
	return k, nil
}

// given reports whether there is a key.
func (k *TokenKeys) given() bool { return len(k.open) > 0 }

// seal makes a token what stands in its column of a mailbox's row; to another
// row or column it cannot be moved. Without a key it stays as it is.
func (k *TokenKeys) seal(token string, mailboxID int64, column string) string {
	if token == "" || !k.given() {
		return token
	}
	text := k.open[k.first].Seal(nil, nil, []byte(token), tokenPlace(mailboxID, column))
	return sealedToken + k.first + ":" + base64.RawURLEncoding.EncodeToString(text)
}

// unseal is the token of a column. ErrTokenKey.
func (k *TokenKeys) unseal(column string, mailboxID int64, name string) (string, error) {
	rest, ok := strings.CutPrefix(column, sealedToken)
	if !ok {
		return column, nil
	}
	key, text, _ := strings.Cut(rest, ":")
	open, ok := k.open[key]
	if !ok {
		return "", ErrTokenKey
	}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", ErrTokenKey
	}
	token, err := open.Open(nil, nil, sealed, tokenPlace(mailboxID, name))
	if err != nil {
		return "", ErrTokenKey
	}
	return string(token), nil
}

// current reports whether a column is as seal would leave it.
func (k *TokenKeys) current(column string) bool {
	return column == "" || !k.given() || strings.HasPrefix(column, sealedToken+k.first+":")
}

func tokenPlace(mailboxID int64, column string) []byte {
	return fmt.Appendf(nil, "intouch %d %s", mailboxID, column)
}
