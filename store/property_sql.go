package store

import "context"

// Dead properties (RFC 4918 section 4) of what is not a calendar; a calendar
// keeps its own, in Collection.Props.

// Bounds of the dead properties of one manager, all resources together.
const (
	maxDeadProps = 20_000
	maxDeadBytes = 4 << 20
)

// DeadProps gives what the manager's programs have left, by resource (an
// ItemKey's text, or caldav's word for another thing), then by "namespace
// name"; the value is the whole XML element. Nil when there is none.
func (s *Store) DeadProps(ctx context.Context, managerID int64) (all map[string]map[string]string, err error) {
	// Each PROPFIND asks this, and there is hardly ever anything.
	err = s.glances(ctx, `SELECT resource, property, value FROM dead_properties WHERE manager_id = $1`, []any{managerID}, func(scan func(...any) error) error {
		var resource, property, value string
		if err := scan(&resource, &property, &value); err != nil {
			return err
		}
		if all == nil {
			all = map[string]map[string]string{}
		}
		if all[resource] == nil {
			all[resource] = map[string]string{}
		}
		all[resource][property] = value
		return nil
	})
	return all, err
}

// EditDeadProps keeps properties of one resource for the manager; a nil value
// takes one away. *Invalid, and nothing is changed, where the resource or the
// manager has too many.
func (s *Store) EditDeadProps(ctx context.Context, managerID int64, resource string, props map[string]*string) error {
	return s.write(ctx, func(t *tx) error {
		if err := t.lock("managers", managerID); err != nil {
			return err
		}
		for property, value := range props {
			if len(resource) > 1000 || len(property) > 1000 {
				return invalid("property", "a name is longer than 1000 bytes")
			}
			var err error
			if value == nil {
				_, err = t.exec(`DELETE FROM dead_properties WHERE manager_id = $1 AND resource = $2 AND property = $3`, managerID, resource, property)
			} else {
				_, err = t.exec(`INSERT INTO dead_properties (manager_id, resource, property, value) VALUES ($1, $2, $3, $4)
					ON CONFLICT (manager_id, resource, property) DO UPDATE SET value = $4`, managerID, resource, property, clean(*value))
			}
			if err != nil {
				return err
			}
		}
		var ofAll, bytesOfAll, bytes int
		if err := t.row(`SELECT COUNT(*), COALESCE(SUM(LENGTH(property) + LENGTH(value)), 0) FROM dead_properties WHERE manager_id = $1`, []any{managerID}, &ofAll, &bytesOfAll); err != nil {
			return err
		}
		if err := t.row(`SELECT COALESCE(SUM(LENGTH(property) + LENGTH(value)), 0) FROM dead_properties WHERE manager_id = $1 AND resource = $2`, []any{managerID, resource}, &bytes); err != nil {
			return err
		}
		if bytes > maxProps || ofAll > maxDeadProps || bytesOfAll > maxDeadBytes {
			return invalid("property", "more than %d bytes of properties on one resource, or %d and %d bytes on all", maxProps, maxDeadProps, maxDeadBytes)
		}
		return nil
	})
}
