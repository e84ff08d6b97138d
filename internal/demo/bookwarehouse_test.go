package demo

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// memoryLedger sums restocks and can be made to fail.
type memoryLedger struct {
	total int
	err   error
}

func (l *memoryLedger) Restock(_ context.Context, _ string, n int) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	l.total += n
	return l.total, nil
}

func TestWarehouse_Restocks(t *testing.T) {
	ledger := &memoryLedger{}
	warehouse := NewWarehouse(ledger, slog.New(slog.DiscardHandler))
	web := NewWeb(func() Page { return warehousePage(warehouse.counters(SessionCounters{})) }, func() any { return nil })
	warehouse.Handle(web)
	post := func(identity, body string) int {
		req := httptest.NewRequest(http.MethodPost, PathRestock, strings.NewReader(body))
		req.Header.Set(HeaderIdentity, identity)
		rec := httptest.NewRecorder()
		web.ServeHTTP(rec, req)
		return rec.Code
	}
	steps := []struct {
		identity, body string
		err            error
		want           int
	}{
		{"bookstore-v1", "2", nil, 200},
		{"bookstore-v2", "1\n", nil, 200},
		{"bookstore-v1", "0", nil, 400},
		{"bookstore-v1", "-3", nil, 400},
		{"bookstore-v1", "lots", nil, 400},
		{"bookstore-v1", strings.Repeat("1", 100), nil, 400},
		{"bookstore-v1", "1", errors.New("gone"), 503},
	}
	for _, s := range steps {
		ledger.err = s.err
		if got := post(s.identity, s.body); got != s.want {
			t.Errorf("restocking %q gives %d, want %d", s.body, got, s.want)
		}
	}
	want := WarehouseCounters{App: "bookwarehouse", Books: map[string]int{"bookstore-v1": 2, "bookstore-v2": 1}, Total: 3, Failures: 1}
	if diff := cmp.Diff(want, warehouse.counters(SessionCounters{})); diff != "" {
		t.Errorf("counters differ (-want +got):\n%s", diff)
	}
}
