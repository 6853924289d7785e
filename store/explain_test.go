package store

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// No hot query without an index behind it (design.md section 5): SQLite's plan
// of each must not scan a table that grows.
func TestHotQueriesUseIndexes(t *testing.T) {
	s, err := Open(context.Background(), Options{URL: "sqlite:" + filepath.Join(t.TempDir(), "x.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in := s.dialect.texts("'[]'")
	for name, query := range map[string]string{
		"token poll":       `SELECT k.change FROM collections k JOIN managers o ON o.id = k.manager_id WHERE k.manager_id = 1 AND k.slug = 'x'`,
		"sync report":      `SELECT name, etag, gone, change FROM entries WHERE collection_id = 1 AND change > 2 ORDER BY change`,
		"entry":            `SELECT bytes FROM entries n WHERE n.collection_id = 1 AND n.name = 'x' AND NOT n.gone`,
		"month":            `SELECT bytes FROM entries n WHERE n.collection_id = 1 AND NOT n.gone AND n.begins <> 0 AND n.begins < 9 AND n.ends >= 5 AND n.ends - n.begins <= ` + longEntry + ` AND n.begins >= 5 - ` + longEntry,
		"month, long ones": `SELECT bytes FROM entries n WHERE n.collection_id = 1 AND NOT n.gone AND n.begins <> 0 AND n.begins < 9 AND n.ends >= 5 AND n.ends - n.begins > ` + longEntry,
		"month, repeating": `SELECT bytes FROM entries n WHERE n.collection_id = 1 AND NOT n.gone AND n.begins = 0`,
		"entries of item":  `SELECT collection_id FROM entries WHERE item = 'c1' AND NOT gone`,
		"UID":              `SELECT name FROM entries WHERE collection_id = 1 AND uid = 'x' AND NOT gone AND name <> 'y'`,
		"status turns":     `SELECT DISTINCT item FROM entries WHERE turns > 0 AND turns <= 7 LIMIT 5`,
		"reminders due":    `SELECT item, alarm, at FROM reminders WHERE manager_id = 1 AND at <= 7 ORDER BY at, item LIMIT 5`,
		"anything due":     `SELECT 1 FROM reminders r WHERE r.manager_id = 1 AND r.at <= 7`,
		"item's reminders": `SELECT manager_id, alarm FROM reminders WHERE item = 'c1'`,
		"item's overlays":  `SELECT manager_id, component, bytes FROM overlays WHERE item = 'c1'`,
		"without a client": `SELECT c.id FROM contacts c WHERE c.client_id IS NULL AND c.origin = 'calendar' AND c.created >= 5 ORDER BY c.created DESC, c.id DESC LIMIT 5`,
		"dead properties":  `SELECT resource, property, value FROM dead_properties WHERE manager_id = 1`,
		"moved by PUT":     `SELECT n.collection_id FROM entries n JOIN collections k ON k.id = n.collection_id JOIN entries this ON this.item = n.item AND this.uid = n.uid JOIN collections home ON home.id = this.collection_id AND home.manager_id = k.manager_id WHERE this.collection_id = 1 AND this.name = 'x' AND n.collection_id <> 1 AND NOT n.gone AND n.moved AND n.stays > 5`,
		"lingers no more":  `UPDATE entries SET stays = 0 WHERE item = 'c1' AND collection_id <> 1 AND collection_id IN (SELECT id FROM collections WHERE manager_id = 1)`,
		"move has ended":   `UPDATE entries SET moved = FALSE WHERE item = (SELECT item FROM entries WHERE collection_id = 1 AND name = 'x') AND moved AND collection_id IN (SELECT k.id FROM collections k JOIN collections this ON this.manager_id = k.manager_id WHERE this.id = 1)`,
		"feed":             `SELECT collection_id, made, used FROM feeds WHERE secret_hash = 'x'`,
		"feed's last":      `SELECT changed FROM entries WHERE collection_id = 1 ORDER BY change DESC LIMIT 1`,
		"feed's first":     `SELECT begins FROM entries WHERE collection_id = 1 AND begins > 0 AND NOT gone ORDER BY begins LIMIT 1`,
		"tombstones":       `DELETE FROM entries WHERE gone AND changed < 5`,
		"cards marked":     `SELECT client_id FROM card_marks WHERE change > 5`,
		"last mark":        `SELECT COALESCE(MAX(change), 0) FROM card_marks`,
		"cards of clients": `SELECT name, client_id, etag FROM book_changes WHERE book_id = 1 AND etag <> '' AND client_id IN ` + in,
		"changes of book":  `SELECT name, etag, change FROM book_changes WHERE book_id = 1 AND change > 2 ORDER BY change`,
		"gone cards":       `DELETE FROM book_changes WHERE etag = '' AND changed < 5`,
		"due mail":         `SELECT id FROM outbox WHERE state = 'queued' AND next_try <= 5 ORDER BY next_try, id LIMIT 5`,
		"failed mails":     `SELECT id FROM outbox WHERE state = 'failed' AND next_try >= 5 ORDER BY next_try DESC, id DESC LIMIT 5`,
		"failed runs":      `SELECT job FROM runs WHERE outcome = 'failed' AND started >= 5 ORDER BY started DESC, job, owner_id LIMIT 5`,
		"run of a report":  `SELECT outcome FROM runs WHERE job = 'reports' AND owner_id = 1 AND slot >= '#5 ' AND slot < '#5!' ORDER BY slot DESC LIMIT 1`,
		"letter known":     `SELECT id FROM contacts WHERE message_key = 'x' AND client_id = 1 AND message_key <> ''`,
		"letter keys":      `SELECT message_key FROM contacts WHERE message_key <> '' AND message_key IN ` + in,
		"thread":           `UPDATE contacts SET thread = 'x' WHERE thread = 'y'`,
		"subject":          `SELECT client_id FROM contacts c WHERE c.bare_subject = 'x' AND c.start_at <= 5 AND c.start_at > 3 ORDER BY c.start_at DESC LIMIT 50`,
		"contacts of":      `SELECT id FROM contacts c WHERE c.client_id = 1 AND c.state <> 'cancelled' ORDER BY c.start_at DESC LIMIT 50`,
		"managers' own":    `SELECT c.id FROM contacts c WHERE c.state IN ('planned', 'postponed') AND c.id IN (SELECT contact_id FROM contact_managers WHERE manager_id IN (1, 2))`,
		"who has address":  `SELECT person_id FROM person_points WHERE kind = 'email' AND value IN ` + in,
		"client's plans":   `SELECT id FROM contacts WHERE client_id IN ` + in + ` AND state IN ('planned', 'postponed')`,
		"clients by class": `SELECT cl.id FROM clients cl WHERE TRUE AND cl.abc = 'A' ORDER BY cl.folded, cl.id LIMIT 5`,
		"clients by stage": `SELECT cl.id FROM clients cl WHERE TRUE AND cl.stage = 'lost' AND (cl.folded, cl.id) > (SELECT a.folded, a.id FROM clients a WHERE a.id = 5) ORDER BY cl.folded, cl.id LIMIT 5`,
		"last contact":     `SELECT ` + lastContact + ` FROM clients cl WHERE cl.id = 1`,
		"class history":    `SELECT h.day FROM classifications h LEFT JOIN classification_runs r ON r.day = h.day WHERE h.client_id = 1 ORDER BY h.day DESC LIMIT 5`,
		"classes before":   `SELECT h.abc FROM classifications h WHERE h.client_id BETWEEN 1 AND 2 AND h.day = (SELECT MAX(m.day) FROM classifications m WHERE m.client_id = h.client_id AND m.day < 'x')`,
		"refused calls":    `SELECT MAX(c.changed) FROM contacts c WHERE c.client_id = 1 AND c.state = 'cancelled' AND c.origin = 'cadence'`,
		"occasion":         `SELECT 1 FROM planned_by_rule WHERE occasion = 'x'`,
		"planned that day": `SELECT manager_id, rule, COUNT(*) FROM planned_by_rule WHERE day = 'x' GROUP BY manager_id, rule`,
		"classes of a day": `SELECT h.client_id FROM classifications h WHERE h.day > 'x' AND h.day <= 'y'`,
		"client in title":  `SELECT id FROM clients WHERE core IN ` + in,
		"balance":          `SELECT SUM(amount) FROM settlements WHERE client_id = 1`,
		"documents of":     `SELECT SUM(amount) FROM documents WHERE deal_id = 1 AND kind IN ('a', 'b')`,
		"planned with":     `SELECT client_id, id FROM contacts WHERE client_id IN ` + in + ` AND state IN ('planned', 'postponed')`,
		"alone by subject": `SELECT id FROM contacts WHERE bare_subject IN ` + in + ` AND start_at >= 1 AND start_at < 2 AND thread = message_key AND message_key <> '' ORDER BY start_at DESC, id DESC LIMIT 5000`,
		"threads":          `SELECT DISTINCT thread FROM contacts WHERE thread IN ` + in,
		"recalls":          `SELECT uid FROM recalls WHERE folder_id = 1 AND uid_validity = 2 ORDER BY uid LIMIT 5`,
		"answers":          `SELECT folder_id, uid FROM answers WHERE answered IN ` + in,
		"registrations":    `SELECT id FROM registrations WHERE id > 5 ORDER BY id LIMIT 3`,
		"outcomes":         `SELECT uid FROM letters WHERE folder_id = 1 AND uid_validity = 2 ORDER BY uid`,
		"history":          `SELECT at FROM history WHERE what = 'contact' AND what_id = 1 ORDER BY id DESC LIMIT 5`,
		"ran":              `SELECT 1 FROM runs WHERE job = 'x' AND owner_id = 1 AND slot = 'y'`,
		"token":            `SELECT o.version FROM oauth_tokens o JOIN mailboxes m ON m.id = o.mailbox_id WHERE m.name = 'x'`,
		"failing mailbox":  `SELECT m.id FROM mailboxes m WHERE m.failed_at > 0 AND m.failed_at > 5 AND m.failed_at - m.error_since >= 3600`,
		"unknown senders":  `SELECT address FROM senders WHERE manager_id IN (0, 1) AND last >= 5`,
		"calendars shown":  `SELECT id FROM collections k WHERE k.shows = 1`,
		"bounced letters":  `SELECT DISTINCT message_key FROM bounces WHERE message_key <> '' AND message_key IN ` + in,
		"invitations":      `SELECT DISTINCT message_key FROM invitations WHERE message_key <> '' AND message_key IN ` + in,
		"heard of":         `UPDATE person_points SET heard = 5 WHERE kind = 'email' AND value = 'x' AND heard < 5 RETURNING person_id`,
		"invitation known": `SELECT i.contact_id FROM invitations i JOIN contacts c ON c.message_key = i.message_key AND c.client_id = i.client_id WHERE i.message_key = 'x' AND i.message_key <> '' AND c.message_key <> ''`,
		"meeting's":        `SELECT uid FROM invitations WHERE contact_id = 5`,
		"answers to those": `SELECT address FROM invitation_answers WHERE uid = 'x'`,
		"calendar's copy":  `SELECT c.id FROM contacts c WHERE c.uid = 'x' AND NOT EXISTS (SELECT 1 FROM invitations i WHERE i.contact_id = c.id)`,
		"private thread":   `SELECT 1 FROM contacts WHERE thread = 'x' AND thread <> '' AND private LIMIT 1`,
		"some private":     `SELECT thread FROM contacts WHERE private LIMIT 1`,
		"deal's contacts":  `SELECT id FROM contacts WHERE deal_id = 1 AND state IN ('planned', 'postponed')`,
		"letter alone":     `SELECT id FROM contacts WHERE message_key = 'x' AND client_id IS NULL AND message_key <> ''`,
		"unlinked":         `SELECT contact_id FROM unlinked WHERE address IN ` + in,
		"unlinked domains": `SELECT domain, contact_id FROM unlinked WHERE domain IN ` + in,
		"in an archive":    `SELECT uid FROM letters WHERE message_key = 'x' AND +folder_id = 1 ORDER BY uid LIMIT 1`,
		"keys in folders":  `SELECT l.message_key FROM letters l JOIN folders f ON f.id = +l.folder_id AND f.uid_validity = +l.uid_validity WHERE l.message_key IN ` + in + ` AND f.mailbox_id = 1 AND f.name IN ` + in,
		"same letter":      `SELECT message_key FROM contacts WHERE bare_subject = 'x' AND start_at >= 1 AND start_at < 2 AND direction = 'in' AND message_key <> '' AND client_id IN (SELECT value FROM json_each('[]')) ORDER BY start_at, id LIMIT 1`,
		"file of 1C due":   `SELECT f.id FROM exchange_files f WHERE f.` + exchangeOpen + ` AND f.state <> 'receiving' AND f.claimed_until <= 5 AND NOT EXISTS (SELECT 1 FROM exchange_files o WHERE o.` + exchangeOpen + ` AND o.integration_id = f.integration_id AND o.claimed_until > 5) ORDER BY f.state, f.id LIMIT 1`,
		"file of 1C named": `SELECT f.id FROM exchange_files f WHERE f.session = 'x' AND f.name = 'y' ORDER BY f.id DESC LIMIT 1`,
		"bytes of 1C held": `SELECT SUM(held) FROM exchange_files WHERE held > 0 AND integration_id = 1`,
		"piece of a file":  `SELECT at, body FROM exchange_chunks WHERE file_id = 1 AND at <= 5 ORDER BY at DESC LIMIT 1`,
		"half files":       `SELECT id FROM exchange_files WHERE ` + exchangeOpen + ` AND state = 'receiving' AND seen <= 5`,
		"contacts then":    `SELECT c.manager_id, c.kind, COUNT(*), SUM(c.minutes) FROM contacts c WHERE c.start_at >= 1 AND c.start_at < 9 AND c.state = 'done' GROUP BY 1, 2`,
		"sales then":       `SELECT COALESCE(d.manager_id, cl.manager_id), doc.kind, SUM(doc.amount), SUM(doc.cost), SUM(doc.tax) FROM documents doc JOIN clients cl ON cl.id = doc.client_id LEFT JOIN deals d ON d.id = doc.deal_id WHERE doc.date >= 'a' AND doc.date <= 'b' AND doc.kind <> 'invoice' GROUP BY 1, 2`,
		"deals then":       `SELECT d.client_id, d.amount FROM deals d WHERE d.date >= 'a' AND d.date <= 'b' AND d.status <> 'cancelled'`,
		"an earlier deal":  `SELECT 1 FROM deals o WHERE o.client_id = 1 AND o.status <> 'cancelled' AND (o.date < 'x' OR o.date = 'x' AND o.id < 5)`,
		"lacked then":      `SELECT e.deal_id FROM deal_events e WHERE e.kind = 'payment' AND e.deal_id IN (SELECT deal_id FROM deal_events WHERE kind = 'payment' AND covered < amount UNION SELECT deal_id FROM documents WHERE date >= 'x' AND kind = 'payment' AND deal_id IS NOT NULL)`,
		"changes by one":   `SELECT h.id FROM history h WHERE h.id < 9 AND h.manager_id = 5 ORDER BY h.id DESC LIMIT 5`,
		"changes of kind":  `SELECT h.id FROM history h WHERE h.what = 'deal' ORDER BY h.id DESC LIMIT 5`,
		"app password":     `SELECT id FROM app_passwords WHERE hash = 'x' AND manager_id = 5`,
		"login by address": `SELECT failures FROM login_failures WHERE name = 'x'`,
	} {
		rows, err := s.r.Query("EXPLAIN QUERY PLAN " + query)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if plus := strings.Contains(query, "+"); plus && strings.Contains(detail, "sqlite_autoindex_letters_1") {
				t.Errorf("%s goes through a whole folder: %s", name, detail)
			}
			if strings.HasPrefix(detail, "SCAN ") && !strings.Contains(detail, "json_each") && !strings.Contains(detail, "USING COVERING INDEX contacts_open") && !strings.Contains(detail, "INDEX contacts_private") && !strings.Contains(detail, "INDEX deal_events_short") {
				t.Errorf("%s: %s", name, detail)
			}
		}
		rows.Close()
	}
}

// The first schema is frozen: it has been released, and what follows is a new
// migration. The test fails when its text changes.
func TestMigrations(t *testing.T) {
	for _, d := range []dialect{sqliteDialect, postgresDialect} {
		b, err := migrations.ReadFile("migrations/0001_house.sql")
		if err != nil {
			t.Fatal(err)
		}
		if text := d.ddl(string(b)); strings.Contains(text, "{{") {
			t.Errorf("%s: a type word is left in the DDL", d)
		}
	}
}
