package demo

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

// recentVisits is the number of latest books in the recent split. It is large enough to distinguish 90/10 from 50/50, and
// small enough to show a changed TrafficSplit within two minutes at the default pace.
const recentVisits = 50

// Counters holds a client's counts since its start. It is the body of /counters.
type Counters struct {
	// App is the program, such as "bookbuyer".
	App string `json:"app"`
	// Requests is the number of completed requests, including failures.
	Requests int `json:"requests"`
	// Outcomes counts requests by status code ("200", "403") or kind of failure ("refused", "reset", "timeout",
	// "no-such-host", "failed").
	Outcomes map[string]int `json:"outcomes"`
	// Paths counts requests by path, then by outcome.
	Paths map[string]map[string]int `json:"paths"`
	// Identities counts books by the header Identity of the version that sold them.
	Identities map[string]int `json:"identities"`
	// Percent is the share of each identity in all books, from 0 to 100.
	Percent map[string]float64 `json:"percent"`
	// RecentPercent is the share of each identity in the last 50 books.
	RecentPercent map[string]float64 `json:"recentPercent"`
}

// Tally counts visits. It is safe for concurrent use.
type Tally struct {
	app string

	mu         sync.Mutex
	requests   int
	outcomes   map[string]int
	paths      map[string]map[string]int
	identities map[string]int
	recent     []string // identities of the last books, oldest first
}

// NewTally returns an empty tally of the given program.
func NewTally(app string) *Tally {
	return &Tally{app: app, outcomes: map[string]int{}, paths: map[string]map[string]int{}, identities: map[string]int{}}
}

// Add counts one completed request.
func (t *Tally) Add(v Visit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	t.outcomes[v.Outcome]++
	if t.paths[v.Path] == nil {
		t.paths[v.Path] = map[string]int{}
	}
	t.paths[v.Path][v.Outcome]++
	if v.Path != PathBuyBook || v.Outcome != "200" {
		return
	}
	t.identities[v.Identity]++
	t.recent = append(t.recent, v.Identity)
	if len(t.recent) > recentVisits {
		t.recent = t.recent[1:]
	}
}

// Counters returns a copy of the current counts.
func (t *Tally) Counters() Counters {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := Counters{
		App:           t.app,
		Requests:      t.requests,
		Outcomes:      maps.Clone(t.outcomes),
		Paths:         map[string]map[string]int{},
		Identities:    maps.Clone(t.identities),
		Percent:       percent(t.identities),
		RecentPercent: percent(countEach(t.recent)),
	}
	for path, outcomes := range t.paths {
		c.Paths[path] = maps.Clone(outcomes)
	}
	return c
}

func countEach(names []string) map[string]int {
	counts := map[string]int{}
	for _, n := range names {
		counts[n]++
	}
	return counts
}

// percent converts counts to percentages of their sum.
func percent(counts map[string]int) map[string]float64 {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	shares := map[string]float64{}
	for name, n := range counts {
		shares[name] = 100 * float64(n) / float64(sum)
	}
	return shares
}

// OpenDatabase returns a pool of connections to MySQL. The first query opens a connection. The timeout applies to connecting
// and to each read and write.
func OpenDatabase(d Database, timeout time.Duration) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.User, config.Passwd, config.DBName = d.User, d.Password, d.Name
	config.Net, config.Addr = "tcp", d.Addr
	config.Timeout, config.ReadTimeout, config.WriteTimeout = timeout, timeout, timeout
	// The driver also returns the errors that it would log.
	config.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("the settings for the database at %s are not usable: %w", d.Addr, err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(5)
	db.SetMaxIdleConns(2)
	return db, nil
}

// Statements for the table of restocks. Creating it is idempotent, so its existence is not tracked.
const (
	createRestocks = `CREATE TABLE IF NOT EXISTS restocks (
		id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
		identity VARCHAR(63) NOT NULL,
		books INT NOT NULL,
		at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)`
	insertRestock = `INSERT INTO restocks (identity, books) VALUES (?, ?)`
	sumRestocks   = `SELECT COALESCE(SUM(books), 0) FROM restocks`
)

// SQLLedger is a Ledger in a MySQL table.
type SQLLedger struct {
	db *sql.DB
}

// NewSQLLedger returns a ledger in db. The first write creates its table.
func NewSQLLedger(db *sql.DB) *SQLLedger {
	return &SQLLedger{db: db}
}

// Restock adds a row and returns the sum of all rows.
func (l *SQLLedger) Restock(ctx context.Context, identity string, n int) (int, error) {
	if _, err := l.db.ExecContext(ctx, createRestocks); err != nil {
		return 0, fmt.Errorf("cannot create the table of restocks: %w", err)
	}
	if _, err := l.db.ExecContext(ctx, insertRestock, identity, n); err != nil {
		return 0, fmt.Errorf("cannot write a restock: %w", err)
	}
	var total int
	if err := l.db.QueryRowContext(ctx, sumRestocks).Scan(&total); err != nil {
		return 0, fmt.Errorf("cannot add up the restocks: %w", err)
	}
	return total, nil
}
