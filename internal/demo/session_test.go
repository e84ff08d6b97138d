package demo

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// server is a database whose numbered connections can be cut, and which can reject new ones.
type server struct {
	opened int64
	cut    map[int64]bool
	closed bool
}

// Connect opens the next connection.
func (s *server) Connect(context.Context) (driver.Conn, error) {
	if s.closed {
		return nil, errors.New("connection refused")
	}
	s.opened++
	return &serverConn{server: s, id: s.opened}, nil
}

// Driver is required by the interface only.
func (s *server) Driver() driver.Driver { return nil }

type serverConn struct {
	server *server
	id     int64
}

func (c *serverConn) Prepare(string) (driver.Stmt, error) { return nil, errors.New("not used") }
func (c *serverConn) Begin() (driver.Tx, error)           { return nil, errors.New("not used") }
func (c *serverConn) Close() error                        { return nil }

// QueryContext returns the connection's number, or fails like the MySQL driver on a lost connection.
func (c *serverConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	if c.server.cut[c.id] {
		return nil, driver.ErrBadConn
	}
	return &oneRow{id: c.id}, nil
}

type oneRow struct {
	id   int64
	done bool
}

func (r *oneRow) Columns() []string { return []string{"id"} }
func (r *oneRow) Close() error      { return nil }
func (r *oneRow) Next(dest []driver.Value) error {
	if r.done {
		return io.EOF
	}
	dest[0], r.done = r.id, true
	return nil
}

func TestSession_HoldsOneConnectionAndCountsLosses(t *testing.T) {
	server := &server{cut: map[int64]bool{}}
	db := sql.OpenDB(server)
	defer db.Close()
	now := time.Unix(1000, 0)
	s := NewSession(db, slog.New(slog.DiscardHandler), func() time.Time { return now })
	defer s.Close()
	steps := []struct {
		name string
		do   func()
		want SessionCounters
	}{
		{"not reachable", func() { server.closed = true }, SessionCounters{}},
		{"reachable", func() { server.closed = false }, SessionCounters{ID: 1, Queries: 1}},
		{"held", func() { now = now.Add(5 * time.Second) }, SessionCounters{ID: 1, Seconds: 5, Queries: 2}},
		{"cut", func() { server.cut[1] = true }, SessionCounters{Lost: 1}},
		{"opened again", func() { now = now.Add(time.Second) }, SessionCounters{ID: 2, Queries: 1, Lost: 1}},
		{"cut and not reachable", func() { server.cut[2] = true; server.closed = true }, SessionCounters{Lost: 2}},
		{"still not reachable", func() {}, SessionCounters{Lost: 2}},
	}
	for _, step := range steps {
		step.do()
		s.Check(context.Background())
		if diff := cmp.Diff(step.want, s.Counters()); diff != "" {
			t.Fatalf("%s: counters differ (-want +got):\n%s", step.name, diff)
		}
	}
}
