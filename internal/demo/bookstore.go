package demo

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
)

// StoreCounters is the body of the bookstore's /counters.
type StoreCounters struct {
	// App is "bookstore".
	App string `json:"app"`
	// Identity is the version of this process, such as "bookstore-v1".
	Identity string `json:"identity"`
	// BooksSold is the number of books sold.
	BooksSold int `json:"booksSold"`
	// Restocked is the number of books that the bookwarehouse confirmed.
	Restocked int `json:"restocked"`
	// ToRestock is the number of sold books without a confirmed restock. Failed restocks are retried.
	ToRestock int `json:"toRestock"`
	// Outcomes counts requests to the bookwarehouse, as in Counters.
	Outcomes map[string]int `json:"outcomes"`
}

// Store is one version of the bookstore. It is safe for concurrent use.
type Store struct {
	identity  string
	warehouse *Visitor
	tally     *Tally

	mu        sync.Mutex
	sold      int
	restocked int
	toRestock int
	// trace has the headers of the trace of the last sale. The next request to the bookwarehouse continues it.
	trace http.Header
}

// NewStore returns a bookstore with the given identity, which restocks at the given bookwarehouse.
func NewStore(identity string, warehouse *Visitor) *Store {
	return &Store{identity: identity, warehouse: warehouse, tally: NewTally("bookstore")}
}

// Bookstore sells books. It runs until ctx is done.
func Bookstore(ctx context.Context, args []string, getenv func(string) string, log *slog.Logger) error {
	s, err := ParseSettings("bookstore", args, getenv)
	if err != nil {
		return err
	}
	store := NewStore(s.Identity, NewVisitor(s.App, s.Warehouse, Client(s.KeepAlive, s.Timeout)))
	web := NewWeb(func() Page { return storePage(store.Counters()) }, func() any { return store.Counters() })
	store.Handle(web)
	// Restocking continues while the last requests are served, and runs once more for their books. A request that has
	// started is never canceled, because its books would be counted twice.
	restockCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var loop sync.WaitGroup
	loop.Go(func() {
		Every(restockCtx, s.Pace, func(ctx context.Context) { store.Restock(context.WithoutCancel(ctx)) })
	})
	err = Serve(ctx, s, web, log)
	stop()
	loop.Wait()
	store.Restock(context.WithoutCancel(ctx))
	return err
}

// Handle registers the bookstore's paths.
func (s *Store) Handle(web *Web) {
	web.HandleFunc("GET "+PathBooksBought, func(w http.ResponseWriter, _ *http.Request) { s.respond(w, s.sell(0)) })
	web.HandleFunc("GET "+PathBuyBook, func(w http.ResponseWriter, r *http.Request) {
		s.continueTrace(r.Header)
		s.respond(w, s.sell(1))
	})
	web.HandleFunc("POST "+PathUpdateBooksBought, s.update)
}

// sell sells n books and returns the total.
func (s *Store) sell(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sold += n
	s.toRestock += n
	return s.sold
}

func (s *Store) continueTrace(request http.Header) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = traceOf(request)
}

// respond sends the identity of this version and the number of books that it sold.
func (s *Store) respond(w http.ResponseWriter, sold int) {
	w.Header().Set(HeaderIdentity, s.identity)
	w.Header().Set(HeaderBooksBought, strconv.Itoa(sold))
	fmt.Fprintf(w, "%s sold %d books\n", s.identity, sold)
}

// update sets the number of books sold from the request's header.
func (s *Store) update(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.Header.Get(HeaderBooksBought))
	if err != nil || n < 0 {
		http.Error(w, "the header "+HeaderBooksBought+" must hold the number of books sold", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.sold = n
	s.mu.Unlock()
	s.respond(w, n)
}

// Restock requests the books sold since the last call from the bookwarehouse, in one request. Books that it does not
// confirm are requested again by the next call.
func (s *Store) Restock(ctx context.Context) {
	s.mu.Lock()
	n, trace := s.toRestock, s.trace
	s.toRestock = 0
	s.mu.Unlock()
	if n == 0 {
		return
	}
	v := s.warehouse.Restock(ctx, s.identity, n, trace)
	s.tally.Add(v)
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.Outcome == "200" {
		s.restocked += n
	} else {
		s.toRestock += n
	}
}

// Counters returns the current counts.
func (s *Store) Counters() StoreCounters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return StoreCounters{
		App: "bookstore", Identity: s.identity, BooksSold: s.sold, Restocked: s.restocked, ToRestock: s.toRestock,
		Outcomes: s.tally.Counters().Outcomes,
	}
}
