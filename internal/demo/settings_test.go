package demo

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func env(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func TestParseSettings_Defaults(t *testing.T) {
	got, err := ParseSettings("bookthief", nil, env(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{
		App: "bookthief", Identity: "bookthief", Port: 14001, KeepAlive: true, Timeout: 3 * time.Second,
		Linger: 5 * time.Second, Pace: time.Second, Concurrency: 1,
		Bookstore: "http://bookstore.bookstore:14001", Warehouse: "http://bookwarehouse.bookwarehouse:14001",
		Database: Database{Addr: "mysql.bookwarehouse:3306", User: "root", Name: "booksdemo"},
		Goal:     Goal{Expected: "0", MinSuccess: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings differ (-want +got):\n%s", diff)
	}
}

func TestParseSettings_ReadsVariables(t *testing.T) {
	got, err := ParseSettings("bookbuyer", []string{"--port", "8080", "-keepalive=false"}, env(map[string]string{
		"IDENTITY": "bookbuyer-7", "BOOKSTORE_SVC": "shop", "BOOKSTORE_NAMESPACE": "town", "WAREHOUSE_SVC": "depot",
		"BOOKWAREHOUSE_NAMESPACE": "docks", "CI_SLEEP_BETWEEN_REQUESTS_SECONDS": "0.25", "CI_CLIENT_CONCURRENT_CONNECTIONS": "4",
		"CI_MIN_SUCCESS_THRESHOLD": "3", "CI_MAX_ITERATIONS_THRESHOLD": "60", "BOOKTHIEF_EXPECTED_RESPONSE_CODE": "403",
		"MYSQL_HOST": "db", "MYSQL_USER": "u", "MYSQL_PASSWORD": "p", "MYSQL_DATABASE": "d",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{
		App: "bookbuyer", Identity: "bookbuyer-7", Port: 8080, Timeout: 3 * time.Second,
		Linger: 5 * time.Second, Pace: 250 * time.Millisecond, Concurrency: 4,
		Bookstore: "http://shop.town:14001", Warehouse: "http://depot.docks:14001",
		Database: Database{Addr: "db:3306", User: "u", Password: "p", Name: "d"},
		Goal:     Goal{Expected: "200", MinSuccess: 3, MaxRequests: 60},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings differ (-want +got):\n%s", diff)
	}
}

func TestParseSettings_ReportsInvalidVariable(t *testing.T) {
	for _, name := range []string{"CI_SLEEP_BETWEEN_REQUESTS_SECONDS", "CI_CLIENT_CONCURRENT_CONNECTIONS"} {
		_, err := ParseSettings("bookbuyer", nil, env(map[string]string{name: "-1"}))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error is %v, want one that names %s", err, name)
		}
	}
}
