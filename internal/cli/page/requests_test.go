package page_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/cli/page"
	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// logs has the access logs of pods by name. Other pods have no log.
func logs(lines map[string][]string) page.Logs {
	return func(_ context.Context, pod tap.Sidecar, _ page.LogOptions) (io.ReadCloser, error) {
		list, known := lines[pod.Name]
		if !known {
			return nil, errors.New("no log of " + pod.Name)
		}
		return io.NopCloser(strings.NewReader(strings.Join(list, "\n"))), nil
	}
}

// line is a line of an access log, some milliseconds after the start. Identity is empty for an outbound request.
func line(after int, id, cluster, identity string, duration float64) string {
	text, _ := json.Marshal(map[string]any{
		"start_time": now.Add(time.Duration(after) * time.Millisecond).Format(time.RFC3339Nano), "method": "GET", "path": "/" + id, "request_id": id, "response_code": 200,
		"upstream_cluster": cluster, "source_identity": identity, "duration": duration,
	})
	return string(text)
}

// chain is a mesh in which buyer calls web, and web calls db.
func chain(t *testing.T) page.Reader {
	r := shop(t, nil)
	r.Sidecars = func(context.Context) ([]page.Sidecar, []string, error) {
		var all []page.Sidecar
		for _, name := range []string{"buyer", "web", "db"} {
			all = append(all, page.SidecarOf(report.Proxy{Namespace: "shop", Pod: name + "-0", ServiceAccount: name}, "up to date", "", "one"))
		}
		return all, nil, nil
	}
	r.Logs = logs(map[string][]string{
		"buyer-0": {line(0, "a", "shop/web|80", "", 30), line(100, "b", "shop/web|80|pods", "", 10), line(150, "x", "shop/other|80", "", 10)},
		"web-0":   {"not JSON", line(1, "a", "shop/web|8080|local", "buyer.shop.cluster.local", 28), line(5, "a", "shop/db|80", "", 20), line(300, "c", "shop/web|8080|local", "buyer.shop.cluster.local", 1)},
		"db-0":    {line(7, "a", "shop/db|8080|local", "web.shop.cluster.local", 15), line(9, "z", "shop/db|8080|local", "web.shop.cluster.local", 15)},
	})
	return r
}

// TestRequestsOfAnEdgeAreJoined has requests in both logs, or in one of them. The latest is first.
func TestRequestsOfAnEdgeAreJoined(t *testing.T) {
	got, err := chain(t).Requests(t.Context(), "workload:shop/buyer", "service:shop/web")
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, r := range got.Requests {
		server := "-"
		if r.Server != nil {
			server = fmt.Sprint(r.Server.Pod, " ", r.Server.Milliseconds)
		}
		text = append(text, fmt.Sprintf("%s %s %s %v server %s", r.Account, r.Path, r.Direction, r.Milliseconds, server))
	}
	want := "shop/web /c inbound 1 server -\nshop/buyer /b outbound 10 server -\nshop/buyer /a outbound 30 server web-0 28"
	if joined := strings.Join(text, "\n"); joined != want || len(got.Notes) > 0 {
		t.Errorf("requests:\n%s\nwant:\n%s\nnotes %q", joined, want, got.Notes)
	}
}

// TestDeniedConnectionsAreRequestsOfTheirEdge has connections that the sidecar of the client closed. Their log has addresses only.
func TestDeniedConnectionsAreRequestsOfTheirEdge(t *testing.T) {
	r := chain(t)
	closed := func(address string) string {
		return fmt.Sprintf(`{"start_time": %q, "destination_address": %q, "denied_by": "no policy"}`, now.Format(time.RFC3339Nano), address)
	}
	r.Logs = logs(map[string][]string{"buyer-0": {closed("10.0.0.9:80"), closed("10.0.0.7:80")}, "db-0": {}})
	r.Denials = func(context.Context) ([]report.Denial, error) {
		return []report.Denial{denial("shop/buyer", "shop/db", "", 1)}, nil
	}
	for to, want := range map[string]int{"service:shop/db": 1, "service:shop/web": 0} {
		got, err := r.Requests(t.Context(), "workload:shop/buyer", to)
		if err != nil || len(got.Requests) != want || want > 0 && got.Requests[0].DeniedBy != "no policy" {
			t.Errorf("%s: %+v, error %v, want %d denied connections", to, got, err, want)
		}
	}
}

// TestTraceHasAllWorkloads follows a request through three workloads.
func TestTraceHasAllWorkloads(t *testing.T) {
	got, err := chain(t).Trace(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, r := range got.Requests {
		text = append(text, r.Account+" "+r.Direction)
	}
	if joined := strings.Join(text, ", "); joined != "shop/buyer outbound, shop/web inbound, shop/web outbound, shop/db inbound" {
		t.Errorf("spans: %s", joined)
	}
	if _, err := chain(t).Trace(t.Context(), `a"}`); err == nil {
		t.Error("an identifier with quotes is accepted")
	}
}

// TestRequestsAreBounded has a busy workload with more pods than are read.
func TestRequestsAreBounded(t *testing.T) {
	r, opened := shop(t, nil), atomic.Int32{}
	r.Sidecars = func(context.Context) ([]page.Sidecar, []string, error) {
		var all []page.Sidecar
		for i := range 60 {
			all = append(all, page.SidecarOf(report.Proxy{Namespace: "shop", Pod: fmt.Sprint("web-", i), ServiceAccount: "web"}, "up to date", "", "one"))
		}
		return all, nil, nil
	}
	r.Logs = func(_ context.Context, _ tap.Sidecar, options page.LogOptions) (io.ReadCloser, error) {
		opened.Add(1)
		if options.Lines <= 0 || options.Since <= 0 {
			t.Errorf("a log is read with %+v, want limits", options)
		}
		var lines []string
		for i := range 500 {
			lines = append(lines, line(i, "a", "shop/db|80", "", 1))
		}
		return io.NopCloser(strings.NewReader(strings.Join(lines, "\n"))), nil
	}
	got, err := r.Requests(t.Context(), "workload:shop/web", "")
	if err != nil || len(got.Requests) != 50 || opened.Load() != 5 || len(got.Notes) != 1 || got.Notes[0] != "Only the logs of 5 of 60 pods are read." {
		t.Errorf("%d requests of %d logs, notes %q, error %v", len(got.Requests), opened.Load(), got.Notes, err)
	}
	opened.Store(0)
	if got, err = r.Trace(t.Context(), "a"); err != nil || len(got.Requests) != 100 || opened.Load() != 50 {
		t.Errorf("a trace has %d requests of %d logs, error %v", len(got.Requests), opened.Load(), err)
	}
}

// TestLatenciesComeFromAccessLogs has two requests of an edge, and reads the logs once for several states. A log that cannot be read is named.
func TestLatenciesComeFromAccessLogs(t *testing.T) {
	r, opened, at := chain(t), 0, now
	r.Loads = func(context.Context) ([]report.Load, bool, error) {
		busy := report.LoadCounts{Issued: 4, Succeeded: 4}
		return []report.Load{{Client: "shop/buyer", Cluster: "shop/web|80", Rate: 2, LoadCounts: busy}, {Client: "shop/db", Cluster: "shop/gone|80", Rate: 1, LoadCounts: busy}}, true, nil
	}
	inner := logs(map[string][]string{"buyer-0": {line(0, "a", "shop/web|80", "", 30), line(1, "b", "shop/web|80", "", 10)}})
	counted := func(ctx context.Context, pod tap.Sidecar, options page.LogOptions) (io.ReadCloser, error) {
		if pod.Name == "buyer-0" {
			opened++
		}
		return inner(ctx, pod, options)
	}
	r.Samples = &page.Sampler{Logs: counted, Now: func() time.Time { return at }}
	for range 3 {
		s := read(t, r)
		edge := s.Edges[len(s.Edges)-2]
		if edge.From != "workload:shop/buyer" || edge.P50 == nil || *edge.P50 != 30 || *edge.P99 != 30 {
			t.Fatalf("edges %+v: want the latencies of buyer", s.Edges)
		}
		if sources := strings.Join(s.Sources, " "); !strings.Contains(sources, "no log of db-0") || len(s.Problems) > 0 {
			t.Errorf("sources %q, problems %q: want the log that cannot be read", sources, s.Problems)
		}
	}
	if opened != 1 {
		t.Errorf("the log was read %d times within seconds", opened)
	}
	at = at.Add(time.Minute)
	read(t, r)
	if opened != 2 {
		t.Errorf("the log was read %d times after a minute, want 2", opened)
	}
}
