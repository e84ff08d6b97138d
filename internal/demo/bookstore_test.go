package demo

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// warehouseStub responds with the given status codes in order, and records the requests.
type warehouseStub struct {
	codes []int
	asked []string
}

func (w *warehouseStub) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.asked = append(w.asked, r.Method+" "+r.URL.Path+" "+r.Header.Get(HeaderIdentity)+" "+r.Header.Get(HeaderClientApp)+" "+string(body))
	rw.WriteHeader(w.codes[0])
	w.codes = w.codes[1:]
}

// newStore returns a bookstore that restocks at the stub, and its server.
func newStore(t *testing.T, stub *warehouseStub) (*Store, *httptest.Server) {
	t.Helper()
	warehouse := httptest.NewServer(stub)
	t.Cleanup(warehouse.Close)
	store := NewStore("bookstore-v1", NewVisitor("bookstore", warehouse.URL, Client(true, time.Second)))
	web := NewWeb(func() Page { return storePage(store.Counters()) }, func() any { return store.Counters() })
	store.Handle(web)
	server := httptest.NewServer(web)
	t.Cleanup(server.Close)
	return store, server
}

func TestBookstore_SellsAndIdentifiesItself(t *testing.T) {
	_, server := newStore(t, &warehouseStub{})
	for i, path := range []string{PathBuyBook, PathBuyBook, PathBooksBought} {
		resp, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		want := []string{"1", "2", "2"}[i]
		if resp.StatusCode != 200 || resp.Header.Get("Identity") != "bookstore-v1" || resp.Header.Get("Booksbought") != want {
			t.Errorf("GET %s: status %d, headers %v; want 200, bookstore-v1, %s books", path, resp.StatusCode, resp.Header, want)
		}
	}
	resp, err := http.Post(server.URL+PathBuyBook, "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST %s: status %d, want 405", PathBuyBook, resp.StatusCode)
	}
}

func TestBookstore_UpdatesBooksSold(t *testing.T) {
	store, server := newStore(t, &warehouseStub{})
	for value, want := range map[string]int{"41": 200, "-1": 400, "many": 400} {
		req, err := http.NewRequest(http.MethodPost, server.URL+PathUpdateBooksBought, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(HeaderBooksBought, value)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("an update to %q gives %d, want %d", value, resp.StatusCode, want)
		}
	}
	if got := store.Counters().BooksSold; got != 41 {
		t.Errorf("%d books sold, want the 41 of the one good update", got)
	}
}

func TestBookstore_RestocksInOneRequestAndRetries(t *testing.T) {
	stub := &warehouseStub{codes: []int{403, 200}}
	store, _ := newStore(t, stub)
	store.Restock(context.Background()) // without sales there is no request
	store.sell(1)
	store.sell(1)
	store.Restock(context.Background())
	store.sell(1)
	store.Restock(context.Background())
	want := []string{"POST /restock-books bookstore-v1 bookstore 2", "POST /restock-books bookstore-v1 bookstore 3"}
	if diff := cmp.Diff(want, stub.asked); diff != "" {
		t.Errorf("requests differ (-want +got):\n%s", diff)
	}
	counters := StoreCounters{
		App: "bookstore", Identity: "bookstore-v1", BooksSold: 3, Restocked: 3, Outcomes: map[string]int{"403": 1, "200": 1},
	}
	if diff := cmp.Diff(counters, store.Counters()); diff != "" {
		t.Errorf("counters differ (-want +got):\n%s", diff)
	}
}

func TestPages_EscapeCounters(t *testing.T) {
	tally := NewTally("bookbuyer")
	tally.Add(Visit{Path: PathBuyBook, Outcome: "200", Identity: "<script>"})
	tally.Add(Visit{Path: PathBuyBook, Outcome: "403"})
	web := NewWeb(func() Page { return shopperPage(tally.Counters()) }, func() any { return tally.Counters() })
	rec := httptest.NewRecorder()
	web.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	body := rec.Body.String()
	for _, want := range []string{"Bookbuyer", "&lt;script&gt;", "width: 100.00%", `class="bad"><td>403</td>`, "--hue: 160"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q:\n%s", want, body)
		}
	}
	if strings.Contains(body, "<script>") {
		t.Error("the page holds a header's value unescaped")
	}
}

// A restock belongs to the trace of the last sale, and sends nothing else of that request.
func TestBookstore_RestockContinuesTheTrace(t *testing.T) {
	got := make(chan http.Header, 1)
	warehouse := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	t.Cleanup(warehouse.Close)
	store := NewStore("bookstore-v1", NewVisitor("bookstore", warehouse.URL, Client(true, time.Second)))
	web := NewWeb(func() Page { return storePage(store.Counters()) }, func() any { return store.Counters() })
	store.Handle(web)
	sale := httptest.NewRequest(http.MethodGet, PathBuyBook, nil)
	sale.Header = http.Header{"Traceparent": {"00-a-b-01"}, "X-B3-Traceid": {"a"}, "Cookie": {"c"}}
	web.ServeHTTP(httptest.NewRecorder(), sale)
	store.Restock(t.Context())
	header := <-got
	if header.Get("Traceparent") != "00-a-b-01" || header.Get("X-B3-Traceid") != "a" || header.Get("Cookie") != "" {
		t.Errorf("the bookwarehouse gets %v, want the headers of the trace", header)
	}
}
