-- What reports ask, in the plainest SQL, for the sqlite3 shell: BenchmarkReports
-- compares its time. Each part begins with the title or name of the report, and
-- ends before an empty line. :from and :to are the first and the last day of the
-- period, :start and :end its moments, :now and :today when it is asked, three
-- hours east of UTC. For a report per client the marks around its column are taken
-- away.

-- report contacts
SELECT m.name, COALESCE(n, 0), COALESCE(spent, 0) FROM managers m LEFT JOIN (
    SELECT c.manager_id AS manager, COUNT(*) AS n, SUM(CASE WHEN c.state = 'done' THEN c.minutes END) AS spent
    FROM contacts c WHERE c.start_at >= :start AND c.start_at < :end AND c.state <> 'cancelled' GROUP BY 1) f ON f.manager = m.id ORDER BY 1;

-- report contacts per client and kind
WITH found AS MATERIALIZED (
    SELECT c.manager_id AS manager, c.client_id AS client, c.kind AS kind, COUNT(*) AS n, COALESCE(SUM(CASE WHEN c.state = 'done' THEN c.minutes END), 0) AS spent, MAX(c.state = 'done' AND c.estimated) AS estimated
    FROM contacts c WHERE c.start_at >= :start AND c.start_at < :end AND c.state <> 'cancelled' GROUP BY 1, 2, 3),
total AS MATERIALIZED (SELECT SUM(n) AS n, SUM(spent) AS spent FROM found),
lines AS (
    SELECT m.name AS manager, '' AS client, '' AS kind, COALESCE(SUM(n), 0) AS n, COALESCE(SUM(spent), 0) AS spent, MAX(estimated) AS estimated FROM managers m LEFT JOIN found f ON f.manager = m.id GROUP BY m.id
    UNION ALL SELECT m.name, cl.name, '', SUM(n), SUM(spent), MAX(estimated) FROM found f JOIN managers m ON m.id = f.manager JOIN clients cl ON cl.id = f.client GROUP BY m.id, cl.id
    UNION ALL SELECT m.name, cl.name, f.kind, n, spent, estimated FROM found f JOIN managers m ON m.id = f.manager JOIN clients cl ON cl.id = f.client
    UNION ALL SELECT m.name, cl.name, '', 0, 0, 0 FROM clients cl LEFT JOIN managers m ON m.id = cl.manager_id WHERE cl.id NOT IN (SELECT client FROM found))
SELECT l.manager, l.client, l.kind, l.n, ROUND(100.0 * l.n / t.n, 2), l.spent, ROUND(100.0 * l.spent / t.spent, 2), l.estimated FROM lines l, total t ORDER BY 1, 2, 3;

-- report sources
SELECT COALESCE(x.source_id, cl.source_id), COUNT(*) FROM (
    SELECT c.client_id, COALESCE(c.source_id, (SELECT s.source_id FROM contacts s WHERE s.client_id = c.client_id AND s.source_id IS NOT NULL AND s.start_at <= c.start_at ORDER BY s.start_at DESC LIMIT 1)) AS source_id
    FROM contacts c WHERE c.start_at >= :start AND c.start_at < :end AND c.state = 'done' AND c.direction = 'in') x
LEFT JOIN clients cl ON cl.id = x.client_id GROUP BY 1;
SELECT COALESCE(x.source_id, cl.source_id), COUNT(*) FROM (
    SELECT c.client_id, COALESCE(c.source_id, (SELECT s.source_id FROM contacts s WHERE s.client_id = c.client_id AND s.source_id IS NOT NULL AND s.start_at <= c.start_at ORDER BY s.start_at DESC LIMIT 1)) AS source_id
    FROM contacts c WHERE c.start_at >= :start AND c.start_at < :end AND c.state = 'done' AND NOT EXISTS (
        SELECT 1 FROM contacts o WHERE o.client_id = c.client_id AND o.state = 'done' AND (o.start_at < c.start_at OR o.start_at = c.start_at AND o.id < c.id))) x
LEFT JOIN clients cl ON cl.id = x.client_id GROUP BY 1;
SELECT COALESCE(d.source_id, (SELECT s.source_id FROM contacts s WHERE s.client_id = d.client_id AND s.source_id IS NOT NULL AND s.start_at < unixepoch(d.date) + 86400 ORDER BY s.start_at DESC LIMIT 1), cl.source_id), COUNT(*)
FROM deals d JOIN clients cl ON cl.id = d.client_id WHERE d.date BETWEEN :from AND :to AND d.status <> 'cancelled' GROUP BY 1;
SELECT COALESCE(d.source_id, (SELECT s.source_id FROM contacts s WHERE s.client_id = doc.client_id AND s.source_id IS NOT NULL AND s.start_at < unixepoch(doc.date) + 86400 ORDER BY s.start_at DESC LIMIT 1), cl.source_id),
    SUM(doc.amount - COALESCE(doc.tax, 0)), SUM(doc.cost), SUM(NOT EXISTS (
        SELECT 1 FROM documents o WHERE o.client_id = doc.client_id AND o.kind = 'shipment' AND (o.date < doc.date OR o.date = doc.date AND o.id < doc.id)))
FROM documents doc JOIN clients cl ON cl.id = doc.client_id LEFT JOIN deals d ON d.id = doc.deal_id
WHERE doc.date BETWEEN :from AND :to AND doc.kind = 'shipment' GROUP BY 1;

-- report sources per client
-- One list as the report's: each source with its sum and cost, below it its clients.
WITH part AS (
    SELECT COALESCE(x.source_id, cl.source_id) AS source, x.client_id AS client, 1 AS contacts, 0 AS first, 0 AS won, 0 AS deals, 0 AS revenue, 0 AS profit, 0 AS costless, 0 AS sold, 0 AS taxless FROM (
        SELECT c.client_id, COALESCE(c.source_id, (SELECT s.source_id FROM contacts s WHERE s.client_id = c.client_id AND s.source_id IS NOT NULL AND s.start_at <= c.start_at ORDER BY s.start_at DESC LIMIT 1)) AS source_id
        FROM contacts c WHERE c.start_at >= :start AND c.start_at < :end AND c.state = 'done' AND c.direction = 'in') x
    LEFT JOIN clients cl ON cl.id = x.client_id
    UNION ALL SELECT COALESCE(x.source_id, cl.source_id), x.client_id, 0, 1, 0, 0, 0, 0, 0, 0, 0 FROM (
        SELECT c.client_id, COALESCE(c.source_id, (SELECT s.source_id FROM contacts s WHERE s.client_id = c.client_id AND s.source_id IS NOT NULL AND s.start_at <= c.start_at ORDER BY s.start_at DESC LIMIT 1)) AS source_id
        FROM contacts c WHERE c.start_at >= :start AND c.start_at < :end AND c.state = 'done' AND NOT EXISTS (
            SELECT 1 FROM contacts o WHERE o.client_id = c.client_id AND o.state = 'done' AND (o.start_at < c.start_at OR o.start_at = c.start_at AND o.id < c.id))) x
    LEFT JOIN clients cl ON cl.id = x.client_id
    UNION ALL SELECT COALESCE(d.source_id, (SELECT s.source_id FROM contacts s WHERE s.client_id = d.client_id AND s.source_id IS NOT NULL AND s.start_at < unixepoch(d.date) + 86400 ORDER BY s.start_at DESC LIMIT 1), cl.source_id), d.client_id,
        0, 0, 0, 1, 0, 0, 0, 0, 0
    FROM deals d JOIN clients cl ON cl.id = d.client_id WHERE d.date BETWEEN :from AND :to AND d.status <> 'cancelled'
    UNION ALL SELECT COALESCE(d.source_id, (SELECT s.source_id FROM contacts s WHERE s.client_id = doc.client_id AND s.source_id IS NOT NULL AND s.start_at < unixepoch(doc.date) + 86400 ORDER BY s.start_at DESC LIMIT 1), cl.source_id), doc.client_id,
        0, 0, (NOT EXISTS (
            SELECT 1 FROM documents o WHERE o.client_id = doc.client_id AND o.kind = 'shipment' AND (o.date < doc.date OR o.date = doc.date AND o.id < doc.id))),
        0, doc.amount - COALESCE(doc.tax, 0), CASE WHEN doc.cost IS NOT NULL THEN doc.amount - COALESCE(doc.tax, 0) - doc.cost END, doc.cost IS NULL, 1, doc.tax IS NULL
    FROM documents doc JOIN clients cl ON cl.id = doc.client_id LEFT JOIN deals d ON d.id = doc.deal_id
    WHERE doc.date BETWEEN :from AND :to AND doc.kind = 'shipment'),
found AS MATERIALIZED (
    SELECT source, client, SUM(contacts) AS contacts, SUM(first) AS first, SUM(won) AS won, SUM(deals) AS deals, SUM(revenue) AS revenue, SUM(profit) AS profit, SUM(costless) AS costless, SUM(sold) AS sold, SUM(taxless) AS taxless
    FROM part GROUP BY 1, 2),
lines AS (
    SELECT s.name AS source, '' AS client, SUM(contacts) AS contacts, SUM(first) AS first, SUM(won) AS won, SUM(deals) AS deals, SUM(revenue) AS revenue, SUM(profit) AS profit, s.cost AS cost, SUM(costless) AS costless, SUM(sold) AS sold, SUM(taxless) AS taxless
    FROM found f LEFT JOIN sources s ON s.id = f.source GROUP BY s.id
    UNION ALL SELECT s.name, cl.name, contacts, first, won, deals, revenue, profit, 0, costless, sold, taxless FROM found f LEFT JOIN sources s ON s.id = f.source LEFT JOIN clients cl ON cl.id = f.client
    UNION ALL SELECT s.name, cl.name, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM clients cl LEFT JOIN sources s ON s.id = cl.source_id WHERE NOT EXISTS (SELECT 1 FROM found f WHERE f.client = cl.id AND f.source IS cl.source_id))
SELECT source, client, contacts, first, won, deals, revenue / 100.0, profit / 100.0, cost / 100.0, (profit - cost) / 100.0, ROUND(100.0 * (profit - cost) / NULLIF(cost, 0), 2), costless, sold, taxless FROM lines ORDER BY 1, 2;

-- report managers
SELECT cl.manager_id /*, cl.id*/, COUNT(*), SUM(
    EXISTS (SELECT 1 FROM client_points p WHERE p.client_id = cl.id AND p.kind IN ('domain', 'email')) + EXISTS (SELECT 1 FROM client_points p WHERE p.client_id = cl.id AND p.kind = 'phone')
    + (cl.source_id IS NOT NULL) + EXISTS (SELECT 1 FROM persons p WHERE p.client_id = cl.id) + (cl.attributes <> '{}'))
FROM clients cl GROUP BY 1 /*, 2*/;
SELECT cl.manager_id /*, cl.id*/, COUNT(*), SUM((p.position <> '') + (p.birthday <> '')
    + EXISTS (SELECT 1 FROM person_points x WHERE x.person_id = p.id AND x.kind = 'email') + EXISTS (SELECT 1 FROM person_points x WHERE x.person_id = p.id AND x.kind = 'phone'))
FROM persons p JOIN clients cl ON cl.id = p.client_id WHERE p.merged_into IS NULL GROUP BY 1 /*, 2*/;
SELECT c.manager_id /*, c.client_id*/, c.kind, c.direction, COUNT(*), SUM(c.minutes) FROM contacts c WHERE c.start_at >= :start AND c.start_at < :end AND c.state = 'done' GROUP BY 1, 2, 3 /*, 4*/;
-- Waits by the clock: SQL knows no working hours.
WITH done AS (
    SELECT c.client_id, c.manager_id, c.start_at, c.kind = 'letter' AND c.direction = 'in' AS waits, c.dismissed
    FROM contacts c WHERE c.state = 'done' AND c.client_id IS NOT NULL AND c.start_at >= :start AND c.start_at < :end + 30 * 86400),
answered AS (
    SELECT *, MIN(CASE WHEN NOT waits THEN start_at END) OVER (PARTITION BY client_id ORDER BY start_at ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS answer,
        LAG(waits) OVER (PARTITION BY client_id ORDER BY start_at) AS before FROM done),
waited AS (
    SELECT manager_id /*, client_id*/, answer - start_at AS wait, PERCENT_RANK() OVER (PARTITION BY manager_id /*, client_id*/ ORDER BY answer - start_at) AS rank
    FROM answered WHERE waits AND NOT dismissed AND NOT COALESCE(before, 0) AND start_at < :end)
SELECT manager_id /*, client_id*/, MAX(CASE WHEN rank <= 0.5 THEN wait END), MAX(CASE WHEN rank <= 0.9 THEN wait END), SUM(wait IS NULL) FROM waited GROUP BY 1 /*, 2*/;
SELECT COALESCE(d.manager_id, cl.manager_id) /*, d.client_id*/, COUNT(*), SUM(d.amount), SUM(NOT EXISTS (
    SELECT 1 FROM deals o WHERE o.client_id = d.client_id AND o.status <> 'cancelled' AND (o.date < d.date OR o.date = d.date AND o.id < d.id)))
FROM deals d JOIN clients cl ON cl.id = d.client_id WHERE d.date BETWEEN :from AND :to AND d.status <> 'cancelled' GROUP BY 1 /*, 2*/;
SELECT COALESCE(d.manager_id, cl.manager_id), doc.kind /*, doc.client_id*/, COUNT(*), SUM(doc.amount - COALESCE(doc.tax, 0)), SUM(doc.cost)
FROM documents doc JOIN clients cl ON cl.id = doc.client_id LEFT JOIN deals d ON d.id = doc.deal_id WHERE doc.date BETWEEN :from AND :to GROUP BY 1, 2 /*, 3*/;
SELECT cl.manager_id /*, cl.id*/, SUM(b.balance) FROM (SELECT client_id, SUM(amount) AS balance FROM settlements WHERE date <= :to GROUP BY 1) b
JOIN clients cl ON cl.id = b.client_id WHERE b.balance > 0 GROUP BY 1 /*, 2*/;
SELECT d.manager_id /*, d.client_id*/, e.due, COUNT(*), SUM(e.amount - COALESCE(p.paid, 0)) FROM deal_events e JOIN deals d ON d.id = e.deal_id
LEFT JOIN (SELECT deal_id, SUM(amount) AS paid FROM documents WHERE kind = 'payment' AND date <= :to GROUP BY 1) p ON p.deal_id = d.id
WHERE e.kind = 'payment' AND e.due <= :to AND e.amount > COALESCE(p.paid, 0) GROUP BY 1, e.due /*, 2*/;
SELECT cl.manager_id /*, cl.id*/, k.stage, k.xyz, f.stage, f.xyz, COUNT(*) FROM clients cl
JOIN classifications k ON k.client_id = cl.id AND k.day = (SELECT MAX(x.day) FROM classifications x WHERE x.client_id = cl.id AND x.day <= :to)
LEFT JOIN classifications f ON f.client_id = cl.id AND f.day = (SELECT MAX(x.day) FROM classifications x WHERE x.client_id = cl.id AND x.day < :from) GROUP BY 1, 2, 3, 4, 5 /*, 6*/;

-- report classification
SELECT k.abc, k.xyz, k.stage, f.abc, f.xyz, f.stage, COUNT(*) FROM clients cl
JOIN classifications k ON k.client_id = cl.id AND k.day = (SELECT MAX(x.day) FROM classifications x WHERE x.client_id = cl.id AND x.day <= :to)
LEFT JOIN classifications f ON f.client_id = cl.id AND f.day = (SELECT MAX(x.day) FROM classifications x WHERE x.client_id = cl.id AND x.day < :from) GROUP BY 1, 2, 3, 4, 5, 6;

-- report open-deals
SELECT d.*, cl.name, cl.importance, cl.abc, cl.stage, m.name, x.shipped, x.paid, e.* FROM deals d JOIN clients cl ON cl.id = d.client_id LEFT JOIN managers m ON m.id = COALESCE(d.manager_id, cl.manager_id)
LEFT JOIN (SELECT deal_id, SUM(CASE kind WHEN 'shipment' THEN amount WHEN 'return' THEN -amount ELSE 0 END) AS shipped, SUM(CASE kind WHEN 'payment' THEN amount ELSE 0 END) AS paid FROM documents GROUP BY 1) x ON x.deal_id = d.id
LEFT JOIN deal_events e ON e.deal_id = d.id AND e.state IN ('planned', 'postponed')
WHERE d.status <> 'cancelled' AND (d.amount > COALESCE(x.shipped, 0) OR d.amount > COALESCE(x.paid, 0)) ORDER BY m.name, d.date, d.id;

-- report persons
SELECT p.*, cl.name, cl.importance, cl.abc, m.name, GROUP_CONCAT(x.value, ', '), (SELECT MAX(c.start_at) FROM contact_persons cp JOIN contacts c ON c.id = cp.contact_id WHERE cp.person_id = p.id AND c.state = 'done')
FROM persons p JOIN clients cl ON cl.id = p.client_id LEFT JOIN managers m ON m.id = cl.manager_id LEFT JOIN person_points x ON x.person_id = p.id WHERE p.merged_into IS NULL GROUP BY p.id ORDER BY cl.folded, p.name;

-- report calendar
WITH items AS MATERIALIZED (
    SELECT * FROM (SELECT CASE WHEN c.state = 'postponed' AND NOT (c.start_at <= :now AND date(c.start_at + 10800, 'unixepoch') > date(c.postponed + 10800, 'unixepoch')) THEN 3 WHEN c.end_at <= :now THEN 1 ELSE 2 END AS status,
        c.start_at AS at, date(c.start_at + 10800, 'unixepoch') AS day, strftime('%H:%M', c.start_at + 10800, 'unixepoch') AS time, c.kind AS type, c.subject AS what,
        COALESCE(cl.name, c.client_text) AS client, m.name AS manager, c.importance AS importance, NULL AS sum, NULL AS moved
        FROM contacts c LEFT JOIN clients cl ON cl.id = c.client_id LEFT JOIN managers m ON m.id = c.manager_id
        WHERE c.state IN ('planned', 'postponed') AND c.start_at >= :start AND c.start_at < :end ORDER BY c.start_at LIMIT 20000)
    UNION ALL SELECT * FROM (SELECT CASE WHEN e.state = 'postponed' AND NOT (e.day <= :today AND e.day > date(e.postponed + 10800, 'unixepoch')) THEN 3 WHEN e.day < :today THEN 1 ELSE 2 END,
        unixepoch(e.day) - 10800, e.day, '', e.kind, d.number, cl.name, m.name, cl.importance, e.amount / 100.0, CASE WHEN e.day <> e.due THEN e.due WHEN e.due_before <> e.due THEN e.due_before END
        FROM (SELECT *, CASE WHEN expected <> '' AND expect_set >= due_set THEN expected ELSE due END AS day FROM deal_events) e
        JOIN deals d ON d.id = e.deal_id JOIN clients cl ON cl.id = d.client_id LEFT JOIN managers m ON m.id = COALESCE(d.manager_id, cl.manager_id)
        WHERE e.state IN ('planned', 'postponed') AND d.status <> 'cancelled' AND e.day BETWEEN :from AND :to ORDER BY e.day LIMIT 20000))
SELECT * FROM (SELECT status, NULL AS at, NULL AS day, NULL AS time, NULL AS type, COUNT(*) AS what, NULL AS client, NULL AS manager, NULL AS importance, NULL AS sum, NULL AS moved FROM items GROUP BY status
UNION ALL SELECT * FROM items)
ORDER BY status, at, CASE importance WHEN 'high' THEN 0 WHEN 'normal' THEN 1 ELSE 2 END, what;
