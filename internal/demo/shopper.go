package demo

import (
	"context"
	"database/sql"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// shopper sends requests to the bookstore, cycles through its paths, and counts the outcomes.
type shopper struct {
	visitor  *Visitor
	paths    []string
	tally    *Tally
	progress *progress
	log      *slog.Logger

	next atomic.Int64
	last sync.Map // path -> earlier outcome, so that only changes are logged
}

// Bookbuyer buys books, which the demo's policies allow. It runs until ctx is done.
func Bookbuyer(ctx context.Context, args []string, getenv func(string) string, log *slog.Logger) error {
	return runShopper(ctx, "bookbuyer", args, getenv, log, PathBuyBook, PathBooksBought)
}

// Bookthief takes books, which the demo's policies deny until they are changed. It runs until ctx is done.
func Bookthief(ctx context.Context, args []string, getenv func(string) string, log *slog.Logger) error {
	return runShopper(ctx, "bookthief", args, getenv, log, PathBuyBook)
}

func runShopper(ctx context.Context, app string, args []string, getenv func(string) string, log *slog.Logger, paths ...string) error {
	s, err := ParseSettings(app, args, getenv)
	if err != nil {
		return err
	}
	sh := &shopper{
		visitor:  NewVisitor(app, s.Bookstore, Client(s.KeepAlive, s.Timeout)),
		paths:    paths,
		tally:    NewTally(app),
		progress: &progress{goal: s.Goal, log: log},
		log:      log,
	}
	var loops sync.WaitGroup
	defer loops.Wait()
	loopCtx, stop := context.WithCancel(ctx)
	defer stop()
	for range max(s.Concurrency, 1) {
		loops.Go(func() {
			Every(loopCtx, s.Pace, func(ctx context.Context) {
				if !sh.visit(ctx) {
					stop()
				}
			})
		})
	}
	web := NewWeb(func() Page { return shopperPage(sh.tally.Counters()) }, func() any { return sh.tally.Counters() })
	return Serve(ctx, s, web, log)
}

// visit sends the next request and reports whether to continue. A request that has started is not canceled when the
// program stops, because it would count as a failure.
func (s *shopper) visit(ctx context.Context) bool {
	n := s.next.Add(1) - 1
	v := s.visitor.Get(context.WithoutCancel(ctx), s.paths[int(n)%len(s.paths)])
	s.tally.Add(v)
	if before, _ := s.last.Swap(v.Path, v.Outcome); before != v.Outcome {
		s.log.Info("outcome changed", "path", v.Path, "outcome", v.Outcome, "identity", v.Identity)
	}
	return s.progress.add(v.Outcome)
}

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

// Every calls f at once and then at each interval until ctx is done. If a call takes longer than the interval, the next one
// is delayed.
func Every(ctx context.Context, interval time.Duration, f func(context.Context)) {
	ticker := time.NewTicker(max(interval, time.Millisecond))
	defer ticker.Stop()
	for ctx.Err() == nil {
		f(ctx)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// Log lines that the test runners of the Open Service Mesh demo search for.
const (
	lineSucceeded = "MAESTRO! THIS TEST SUCCEEDED!"
	lineFailed    = "MAESTRO! THIS TEST FAILED!"
)

// progress compares a client's outcomes with its goal. It is safe for concurrent use.
type progress struct {
	goal Goal
	log  *slog.Logger

	mu       sync.Mutex
	requests int
	success  int
	decided  bool
}

// add counts one outcome, logs the result of the test once, and reports whether the client continues.
func (p *progress) add(outcome string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests++
	if p.goal.met(outcome) {
		p.success++
	}
	over := p.goal.MaxRequests > 0 && p.requests >= p.goal.MaxRequests
	if !p.decided {
		p.decide(over)
	}
	return !over
}

func (p *progress) decide(over bool) {
	switch {
	case p.success >= p.goal.MinSuccess:
		p.decided = true
		p.log.Info(lineSucceeded, "requests", p.requests, "expected", p.goal.Expected, "successes", p.success)
	case over:
		p.decided = true
		p.log.Info(lineFailed, "requests", p.requests, "expected", p.goal.Expected, "successes", p.success)
	}
}

// met reports whether an outcome is the expected one; "0" expects any failure without a status code.
func (g Goal) met(outcome string) bool {
	if g.Expected != "0" {
		return outcome == g.Expected
	}
	_, err := strconv.Atoi(outcome)
	return err != nil
}
