package tour

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/operator/component/jaeger"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// traceLimit is the time limit until Jaeger has a trace. Sidecars send spans every five seconds.
const traceLimit = time.Minute

// Trace is a trace in the API of Jaeger.
type Trace struct {
	ID    string `json:"traceID"`
	Spans []struct {
		Process string `json:"processID"`
	} `json:"spans"`
	Processes map[string]struct {
		Service string `json:"serviceName"`
	} `json:"processes"`
}

// Services returns the services with spans in a trace, sorted.
func (t Trace) Services() []string {
	var services []string
	for _, span := range t.Spans {
		services = append(services, t.Processes[span.Process].Service)
	}
	slices.Sort(services)
	return slices.Compact(services)
}

// passes reports whether a trace has spans of sidecars in every namespace.
func (t Trace) passes(namespaces ...string) bool {
	for _, namespace := range namespaces {
		if !slices.ContainsFunc(t.Services(), func(s string) bool { return strings.HasSuffix(s, "."+namespace) }) {
			return false
		}
	}
	return true
}

// FindTrace waits for a trace from bookbuyer through bookstore to bookwarehouse that began after a moment.
func FindTrace(ctx context.Context, cluster *lab.Cluster, since time.Time) (Trace, error) {
	return awaitTrace(ctx, cluster, since, "bookbuyer.bookbuyer", "a trace from bookbuyer to bookwarehouse", func(t Trace) bool {
		return t.passes("bookbuyer", "bookstore", "bookwarehouse")
	})
}

// FindChange waits for a trace of a change by the control plane that began after a moment.
func FindChange(ctx context.Context, cluster *lab.Cluster, since time.Time) (Trace, error) {
	return awaitTrace(ctx, cluster, since, names.Controller, "a trace of a change", func(t Trace) bool { return len(t.Spans) > 1 })
}

// awaitTrace waits for a trace of a service.
func awaitTrace(ctx context.Context, cluster *lab.Cluster, since time.Time, service, what string, desired func(Trace) bool) (Trace, error) {
	pod, err := cluster.Pod(ctx, names.DefaultNamespace, names.AppLabel, jaeger.Name)
	if err != nil {
		return Trace{}, err
	}
	address, err := cluster.Forward(ctx, pod.Namespace, pod.Name, jaeger.QueryPort)
	if err != nil {
		return Trace{}, err
	}
	var found Trace
	err = lab.Until(ctx, traceLimit, what, func(ctx context.Context) (bool, string, error) {
		traces, err := readTraces(ctx, address, service, since)
		if err != nil {
			return false, err.Error(), nil
		}
		i := slices.IndexFunc(traces, desired)
		if i < 0 {
			return false, fmt.Sprintf("%d traces of %s", len(traces), service), nil
		}
		found = traces[i]
		return true, "", nil
	})
	return found, err
}

// readTraces reads the traces with spans of a service.
func readTraces(ctx context.Context, address, service string, since time.Time) ([]Trace, error) {
	query := url.Values{
		"service": {service}, "limit": {"200"},
		"start": {strconv.FormatInt(since.UnixMicro(), 10)}, "end": {strconv.FormatInt(time.Now().UnixMicro(), 10)},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/traces?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the API of Jaeger answers %s", response.Status)
	}
	var answer struct {
		Data []Trace `json:"data"`
	}
	err = json.NewDecoder(response.Body).Decode(&answer)
	return answer.Data, err
}
