package demo

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"time"
)

// SessionCounters describes the long-lived connection to the database.
type SessionCounters struct {
	// ID is the server's number of the connection, or 0 without a connection.
	ID int64 `json:"id"`
	// Seconds is the age of the connection.
	Seconds int `json:"seconds"`
	// Queries is the number of successful queries on the connection.
	Queries int `json:"queries"`
	// Lost is the number of earlier connections that were cut.
	Lost int `json:"lost"`
}

// Session holds one database connection open and queries it periodically. One goroutine may call Check and Close; Counters
// is safe for concurrent use.
type Session struct {
	db   *sql.DB
	log  *slog.Logger
	now  func() time.Time
	conn *sql.Conn

	mu      sync.Mutex
	id      int64
	opened  time.Time
	queries int
	lost    int
}

// NewSession returns a session that opens its connection at the first Check.
func NewSession(db *sql.DB, log *slog.Logger, now func() time.Time) *Session {
	return &Session{db: db, log: log, now: now}
}

// Check runs a query on the connection and opens one if there is none. A connection that fails is counted as lost and
// closed; the next Check opens another.
func (s *Session) Check(ctx context.Context) {
	if s.conn == nil {
		conn, err := s.db.Conn(ctx)
		if err != nil {
			return // the ledger's queries log the cause
		}
		s.conn = conn
	}
	var id int64
	if err := s.conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		if ctx.Err() == nil {
			s.drop(err)
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id == 0 {
		s.id, s.opened = id, s.now()
		s.log.Info("database session opened", "id", id)
	}
	s.queries++
}

// drop closes a connection that failed.
func (s *Session) drop(err error) {
	s.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id != 0 {
		s.lost++
		s.log.Warn("database session lost", "id", s.id, "seconds", int(s.now().Sub(s.opened).Seconds()), "error", err)
	}
	s.id, s.queries = 0, 0
}

// Close closes the connection.
func (s *Session) Close() {
	if s.conn == nil {
		return
	}
	// The connection has failed already or is not used again, so the error does not matter.
	_ = s.conn.Close()
	s.conn = nil
}

// Counters returns the state of the connection.
func (s *Session) Counters() SessionCounters {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := SessionCounters{ID: s.id, Queries: s.queries, Lost: s.lost}
	if s.id != 0 {
		c.Seconds = int(s.now().Sub(s.opened).Seconds())
	}
	return c
}
