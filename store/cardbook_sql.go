package store

import (
	"context"
	"maps"
	"slices"
)

// CardBookNews is what has changed in an address book on a CardDAV server.
type CardBookNews struct {
	Token   string            // to ask the server with the next time
	Changed map[string]string // path of a card → its ETag
	Gone    []string          // paths
	All     bool              // there are no other cards than the changed ones
}

// CardBook is how far the address book at url has been read: the token, ""
// when it never was, and the ETags of its cards by their paths.
func (s *Store) CardBook(ctx context.Context, url string) (token string, etags map[string]string, err error) {
	err = s.read(ctx, func(t *tx) error {
		etags = map[string]string{}
		err := t.row(`SELECT token FROM card_books WHERE url = $1`, []any{url}, &token)
		if err != nil {
			return ignoreNotFound(err)
		}
		return t.rows(`SELECT path, etag FROM card_etags WHERE url = $1`, []any{url}, func(scan func(...any) error) error {
			var path, etag string
			err := scan(&path, &etag)
			etags[path] = etag
			return err
		})
	})
	return token, etags, err
}

// SaveCardBook notes that all news of the address book at url have been taken.
func (s *Store) SaveCardBook(ctx context.Context, url string, news CardBookNews) error {
	changed := slices.AppendSeq([]string{}, maps.Keys(news.Changed))
	slices.Sort(changed)
	return s.write(ctx, func(t *tx) error {
		if _, err := t.exec(`INSERT INTO card_books (url, token) VALUES ($1, $2) ON CONFLICT (url) DO UPDATE SET token = $2`, url, news.Token); err != nil {
			return err
		}
		gone, args := `path IN `+t.s.dialect.texts("$2"), []any{url, asJSON(append([]string{}, news.Gone...))}
		if news.All {
			gone, args = `NOT path IN `+t.s.dialect.texts("$2"), []any{url, asJSON(changed)}
		}
		if _, err := t.exec(`DELETE FROM card_etags WHERE url = $1 AND `+gone, args...); err != nil {
			return err
		}
		for _, path := range changed {
			if _, err := t.exec(`INSERT INTO card_etags (url, path, etag) VALUES ($1, $2, $3) ON CONFLICT (url, path) DO UPDATE SET etag = $3`, url, path, news.Changed[path]); err != nil {
				return err
			}
		}
		return nil
	})
}
