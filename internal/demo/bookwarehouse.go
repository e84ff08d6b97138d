package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Ledger records restocked books.
type Ledger interface {
	// Restock records that n books were restocked for a bookstore, and returns the total of all books.
	Restock(ctx context.Context, identity string, n int) (int, error)
}

// WarehouseCounters is the body of the bookwarehouse's /counters.
type WarehouseCounters struct {
	// App is "bookwarehouse".
	App string `json:"app"`
	// Books counts the books restocked since the start, by the identity of the bookstore.
	Books map[string]int `json:"books"`
	// Total is the number of books in the database after the last restock, including earlier runs.
	Total int `json:"total"`
	// Failures is the number of restocks that the database rejected.
	Failures int `json:"failures"`
	// Session describes the long-lived connection to the database.
	Session SessionCounters `json:"session"`
}

// Warehouse restocks books. It is safe for concurrent use.
type Warehouse struct {
	ledger Ledger
	log    *slog.Logger

	mu       sync.Mutex
	books    map[string]int
	total    int
	failures int
}

// NewWarehouse returns a bookwarehouse that records restocks in ledger.
func NewWarehouse(ledger Ledger, log *slog.Logger) *Warehouse {
	return &Warehouse{ledger: ledger, log: log, books: map[string]int{}}
}

// Bookwarehouse restocks books in MySQL. It also holds one connection open, which shows whether long sessions are cut. It
// runs until ctx is done.
func Bookwarehouse(ctx context.Context, args []string, getenv func(string) string, log *slog.Logger) error {
	s, err := ParseSettings("bookwarehouse", args, getenv)
	if err != nil {
		return err
	}
	db, err := OpenDatabase(s.Database, s.Timeout)
	if err != nil {
		return err
	}
	defer db.Close()
	warehouse := NewWarehouse(NewSQLLedger(db), log)
	session := NewSession(db, log, time.Now)
	counters := func() WarehouseCounters { return warehouse.counters(session.Counters()) }
	web := NewWeb(func() Page { return warehousePage(counters()) }, func() any { return counters() })
	warehouse.Handle(web)
	sessionCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var loop sync.WaitGroup
	defer loop.Wait()
	defer stop()
	loop.Go(func() {
		defer session.Close()
		Every(sessionCtx, s.Pace, session.Check)
	})
	return Serve(ctx, s, web, log)
}

// Handle registers the bookwarehouse's path.
func (w *Warehouse) Handle(web *Web) {
	web.HandleFunc("POST "+PathRestock, w.restock)
}

func (w *Warehouse) restock(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 32))
	if err != nil {
		http.Error(rw, "the body could not be read", http.StatusBadRequest)
		return
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(body)))
	if err != nil || n <= 0 {
		http.Error(rw, "the body must hold the number of books to restock, such as 1", http.StatusBadRequest)
		return
	}
	identity := r.Header.Get(HeaderIdentity)
	total, err := w.ledger.Restock(r.Context(), identity, n)
	w.count(identity, n, total, err)
	if err != nil {
		w.log.Warn("the database rejected a restock", "identity", identity, "books", n, "error", err)
		http.Error(rw, "the database rejected the restock", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(rw, "%d books in stock\n", total)
}

func (w *Warehouse) count(identity string, n, total int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.failures++
		return
	}
	w.books[identity] += n
	w.total = total
}

func (w *Warehouse) counters(session SessionCounters) WarehouseCounters {
	w.mu.Lock()
	defer w.mu.Unlock()
	return WarehouseCounters{
		App: "bookwarehouse", Books: maps.Clone(w.books), Total: w.total, Failures: w.failures, Session: session,
	}
}
