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
	// Identity is the version that this process is, such as "bookstore-v1".
	Identity string `json:"identity"`
	// BooksSold is the number of books sold.
	BooksSold int `json:"booksSold"`
	// Restocked is the number of books the bookwarehouse confirmed.
	Restocked int `json:"restocked"`
	// ToRestock is the number of books sold whose restocking is still to come or failed and is tried again.
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
}

// NewStore returns a bookstore that calls itself identity and restocks at the given bookwarehouse.
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
	// Restocking goes on while the last customers are served, and once more for their books. A request that was begun is
	// never given up: it would be counted twice.
	restocking, stop := context.WithCancel(context.WithoutCancel(ctx))
	var loop sync.WaitGroup
	loop.Go(func() {
		Every(restocking, s.Pace, func(ctx context.Context) { store.Restock(context.WithoutCancel(ctx)) })
	})
	err = Serve(ctx, s, web, log)
	stop()
	loop.Wait()
	store.Restock(context.WithoutCancel(ctx))
	return err
}

// Handle adds the bookstore's paths.
func (s *Store) Handle(web *Web) {
	web.HandleFunc("GET "+PathBooksBought, func(w http.ResponseWriter, _ *http.Request) { s.answer(w, s.sell(0)) })
	web.HandleFunc("GET "+PathBuyBook, func(w http.ResponseWriter, _ *http.Request) { s.answer(w, s.sell(1)) })
	web.HandleFunc("POST "+PathUpdateBooksBought, s.update)
}

// sell sells n books and returns how many were sold in all.
func (s *Store) sell(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sold += n
	s.toRestock += n
	return s.sold
}

// answer says which version answers and how many books it sold.
func (s *Store) answer(w http.ResponseWriter, sold int) {
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
	s.answer(w, n)
}

// Restock asks the bookwarehouse for the books sold since the last time, in one request. Books that it does not confirm
// are asked for again the next time.
func (s *Store) Restock(ctx context.Context) {
	s.mu.Lock()
	n := s.toRestock
	s.toRestock = 0
	s.mu.Unlock()
	if n == 0 {
		return
	}
	v := s.warehouse.Restock(ctx, s.identity, n)
	s.tally.Add(v)
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.Outcome == "200" {
		s.restocked += n
	} else {
		s.toRestock += n
	}
}

// Counters returns the counts so far.
func (s *Store) Counters() StoreCounters {
	s.mu.Lock()
	defer s.mu.Unlock()
	return StoreCounters{
		App: "bookstore", Identity: s.identity, BooksSold: s.sold, Restocked: s.restocked, ToRestock: s.toRestock,
		Outcomes: s.tally.Counters().Outcomes,
	}
}
