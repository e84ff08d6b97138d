package tap_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/cli/tap"
)

// Lines as sidecars write them.
const (
	allowed  = `{"authority":"web.shop","bytes_received":0,"bytes_sent":41,"denied_by":null,"duration":3,"method":"GET","path":"/books/1?q=a","protocol":"HTTP/1.1","response_code":200,"response_code_details":"via_upstream","response_flags":"-","source_identity":"buyer.shop.cluster.local","start_time":"2026-01-02T15:04:05.519Z","upstream_cluster":"shop/web|8080|local"}`
	rejected = `{"authority":"web.shop","bytes_received":0,"bytes_sent":19,"denied_by":"no policy","duration":0,"method":"GET","path":"/admin","protocol":"HTTP/1.1","response_code":403,"response_code_details":"rbac_access_denied","response_flags":"UAEX","source_identity":"thief.shop.cluster.local","start_time":"2026-01-02T15:04:06.519Z","upstream_cluster":"shop/web|8080|local"}`
	called   = `{"authority":"db","bytes_received":7,"bytes_sent":9,"duration":12,"method":"POST","path":"/books/2","protocol":"HTTP/2","response_code":503,"response_code_details":"no_healthy_upstream","response_flags":"UH","source_identity":null,"start_time":"2026-01-02T15:04:07.519Z","upstream_cluster":"shop/db|80"}`
	tcp      = `{"authority":null,"bytes_received":121,"bytes_sent":5,"duration":1500,"method":null,"path":null,"protocol":null,"response_code":0,"response_code_details":null,"response_flags":"-","source_identity":"buyer.shop.cluster.local","start_time":"2026-01-02T15:04:08.519Z","upstream_cluster":"shop/web|3306|local"}`
	closed   = `{"authority":null,"bytes_received":0,"bytes_sent":0,"denied_by":"no policy","destination_address":"10.96.0.1:80","duration":0,"method":null,"path":null,"protocol":null,"response_code":0,"response_code_details":"filter_chain_not_found","response_flags":"NR","start_time":"2026-01-02T15:04:09.519Z","upstream_cluster":null}`
	warning  = `[2026-01-02 15:04:05.000][1][warning][config] something`
)

func at(seconds int) time.Time {
	return time.Date(2026, 1, 2, 15, 4, seconds, int(519*time.Millisecond), time.UTC)
}

func TestParse(t *testing.T) {
	for line, want := range map[string]tap.Event{
		allowed:  {Time: at(5), Namespace: "shop", Pod: "web-0", Direction: tap.Inbound, Peer: "shop/buyer", Method: "GET", Path: "/books/1?q=a", Host: "web.shop", Protocol: "HTTP/1.1", Status: 200, Details: "via_upstream", Milliseconds: 3, Sent: 41},
		rejected: {Time: at(6), Namespace: "shop", Pod: "web-0", Direction: tap.Inbound, Peer: "shop/thief", Method: "GET", Path: "/admin", Host: "web.shop", Protocol: "HTTP/1.1", Status: 403, DeniedBy: "no policy", Flags: "UAEX", Details: "rbac_access_denied", Sent: 19},
		called:   {Time: at(7), Namespace: "shop", Pod: "web-0", Direction: tap.Outbound, Peer: "shop/db|80", Method: "POST", Path: "/books/2", Host: "db", Protocol: "HTTP/2", Status: 503, Flags: "UH", Details: "no_healthy_upstream", Milliseconds: 12, Received: 7, Sent: 9},
		tcp:      {Time: at(8), Namespace: "shop", Pod: "web-0", Direction: tap.Inbound, Peer: "shop/buyer", Milliseconds: 1500, Received: 121, Sent: 5},
		closed:   {Time: at(9), Namespace: "shop", Pod: "web-0", Direction: tap.Outbound, Peer: "10.96.0.1:80", Address: "10.96.0.1:80", DeniedBy: "no policy", Flags: "NR", Details: "filter_chain_not_found"},
	} {
		got, ok := tap.Parse(tap.Sidecar{Pod: tap.Pod{Namespace: "shop", Name: "web-0"}}, []byte(line))
		if diff := cmp.Diff(want, got); !ok || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", line, ok, diff)
		}
	}
	for _, line := range []string{warning, "", "{}", `{"start_time": "now"}`, `"GET / 200"`} {
		if got, ok := tap.Parse(tap.Sidecar{Pod: tap.Pod{Namespace: "shop", Name: "web-0"}}, []byte(line)); ok {
			t.Errorf("%q is the event %+v", line, got)
		}
	}
}

// logs opens texts as logs.
func logs(texts map[string]string) tap.Logs {
	return tap.Logs{Open: func(_ context.Context, pod tap.Sidecar) (io.ReadCloser, error) {
		text, found := texts[pod.Name]
		if !found {
			return nil, errors.New("no log of " + pod.Name)
		}
		return io.NopCloser(strings.NewReader(text)), nil
	}}
}

func TestFilters(t *testing.T) {
	all := map[string]string{"web-0": strings.Join([]string{allowed, warning, rejected, called, tcp}, "\n")}
	for name, test := range map[string]struct {
		filter tap.Filter
		want   string
	}{
		"all":       {tap.Filter{}, "GET /books/1?q=a, GET /admin, POST /books/2,  "},
		"inbound":   {tap.Filter{Direction: tap.Inbound}, "GET /books/1?q=a, GET /admin,  "},
		"method":    {tap.Filter{Method: "post"}, "POST /books/2"},
		"path":      {tap.Filter{Path: "/books"}, "GET /books/1?q=a, POST /books/2"},
		"class":     {tap.Filter{Status: "5xx"}, "POST /books/2"},
		"code":      {tap.Filter{Status: "403"}, "GET /admin"},
		"peer":      {tap.Filter{Peer: "thief"}, "GET /admin"},
		"denied":    {tap.Filter{Denied: true}, "GET /admin"},
		"two parts": {tap.Filter{Denied: true, Method: "POST"}, ""},
	} {
		var got []string
		result, err := tap.Follow(t.Context(), []tap.Sidecar{{Pod: tap.Pod{Namespace: "shop", Name: "web-0"}}}, test.filter, logs(all), func(e tap.Event) { got = append(got, e.Method+" "+e.Path) })
		if text := strings.Join(got, ", "); err != nil || text != test.want && text+" " != test.want {
			t.Errorf("%s: %q, %v, want %q", name, text, err, test.want)
		}
		if result.Events != 4 || result.Others != 1 {
			t.Errorf("%s: %+v, want 4 events and another line", name, result)
		}
	}
}

func TestInvalidFilters(t *testing.T) {
	for filter, want := range map[tap.Filter]string{
		{Direction: "up"}: "--direction", {Status: "6xx"}: "--status", {Status: "5x"}: "--status", {Status: "700"}: "--status", {Status: "xx"}: "--status",
	} {
		if err := filter.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", filter, err, want)
		}
	}
	for _, filter := range []tap.Filter{{}, {Status: "200"}, {Status: "0"}, {Status: "4xx"}, {Direction: tap.Outbound}} {
		if err := filter.Check(); err != nil {
			t.Errorf("%+v: %v", filter, err)
		}
	}
}

func TestLogThatCannotBeReadEndsAll(t *testing.T) {
	// The log of the other pod never ends.
	reader, writer := io.Pipe()
	defer writer.Close()
	open := func(ctx context.Context, pod tap.Sidecar) (io.ReadCloser, error) {
		if pod.Name == "web-1" {
			return reader, nil
		}
		return logs(nil).Open(ctx, pod)
	}
	_, err := tap.Follow(t.Context(), []tap.Sidecar{{Pod: tap.Pod{Name: "web-0"}}, {Pod: tap.Pod{Name: "web-1"}}}, tap.Filter{}, tap.Logs{Open: open}, func(tap.Event) {})
	if err == nil || !strings.Contains(err.Error(), "no log of web-0") {
		t.Errorf("%v, want the error of the log", err)
	}
}

func TestTop(t *testing.T) {
	top := tap.Top{Workload: func(p tap.Pod) string { return "deployment/" + strings.TrimSuffix(p.Name, "-0") }}
	texts := map[string]string{"web-0": strings.Join([]string{allowed, rejected, strings.ReplaceAll(allowed, `"duration":3`, `"duration":9`), tcp}, "\n")}
	if _, err := tap.Follow(t.Context(), []tap.Sidecar{{Pod: tap.Pod{Namespace: "shop", Name: "web-0"}}}, tap.Filter{}, logs(texts), top.Add); err != nil {
		t.Fatal(err)
	}
	share := func(v float64) *float64 { return &v }
	want := []tap.Row{
		{Namespace: "shop", Workload: "deployment/web", Direction: tap.Inbound, Peer: "shop/buyer", Method: "GET", Path: "/books/1", Count: 2, Rate: 0.2, Success: share(1), Best: 3, Median: 9, Worst: 9},
		{Namespace: "shop", Workload: "deployment/web", Direction: tap.Inbound, Peer: "shop/buyer", Count: 1, Rate: 0.1, Best: 1500, Median: 1500, Worst: 1500},
		{Namespace: "shop", Workload: "deployment/web", Direction: tap.Inbound, Peer: "shop/thief", Method: "GET", Path: "/admin", Count: 1, Rate: 0.1, Success: share(1), Denied: 1, DeniedBy: "no policy"},
	}
	if diff := cmp.Diff(want, top.Rows(10*time.Second)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}

// TestConnectionsClosedAtTheClient has one to a Service of the mesh and one to an address that has no name.
func TestConnectionsClosedAtTheClient(t *testing.T) {
	texts := logs(map[string]string{"web-0": strings.Join([]string{closed, called, strings.ReplaceAll(closed, "10.96.0.1:80", "203.0.113.9:443"), closed}, "\n")})
	texts.Service = func(a netip.AddrPort) string { return map[string]string{"10.96.0.1:80": "shop/web|80"}[a.String()] }
	top := tap.Top{Workload: func(tap.Pod) string { return "deployment/web" }}
	if _, err := tap.Follow(t.Context(), []tap.Sidecar{{Pod: tap.Pod{Namespace: "shop", Name: "web-0"}}}, tap.Filter{Denied: true}, texts, top.Add); err != nil {
		t.Fatal(err)
	}
	want := []tap.Row{
		{Namespace: "shop", Workload: "deployment/web", Direction: tap.Outbound, Peer: "shop/web|80", Count: 2, Rate: 0.2, Denied: 2, DeniedBy: "no policy"},
		{Namespace: "shop", Workload: "deployment/web", Direction: tap.Outbound, Peer: "203.0.113.9:443", Count: 1, Rate: 0.1, Denied: 1, DeniedBy: "no policy"},
	}
	if diff := cmp.Diff(want, top.Rows(10*time.Second)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}
