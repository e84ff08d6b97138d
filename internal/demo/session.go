package demo

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"time"
)

// SessionCounters describes the database connection that is held open.
type SessionCounters struct {
	// ID is the server's number of the connection; 0 while there is none.
	ID int64 `json:"id"`
	// Seconds is its age.
	Seconds int `json:"seconds"`
	// Queries is the number of queries answered on it.
	Queries int `json:"queries"`
	// Lost is the number of connections that were cut before it.
	Lost int `json:"lost"`
}

// Session holds one database connection open and asks a query on it from time to time. Check and Close are for one
// goroutine, Counters for any.
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

// Check asks a query on the connection, after opening one if there is none. A connection that fails is counted as lost
// and closed; the next Check opens another.
func (s *Session) Check(ctx context.Context) {
	if s.conn == nil {
		conn, err := s.db.Conn(ctx)
		if err != nil {
			return // the ledger's own queries log why the database cannot be reached
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

// drop forgets a connection that failed.
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

// Close gives the connection back.
func (s *Session) Close() {
	if s.conn == nil {
		return
	}
	// The error is the one that led here, or nothing is left to tell it to.
	_ = s.conn.Close()
	s.conn = nil
}

// Counters describes the connection as it is now.
func (s *Session) Counters() SessionCounters {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := SessionCounters{ID: s.id, Queries: s.queries, Lost: s.lost}
	if s.id != 0 {
		c.Seconds = int(s.now().Sub(s.opened).Seconds())
	}
	return c
}
