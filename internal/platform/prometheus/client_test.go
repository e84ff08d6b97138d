package prometheus

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// vector is an answer of Prometheus with elements of these values.
func vector(values ...string) string {
	var elements []string
	for i, value := range values {
		elements = append(elements, fmt.Sprintf(`{"metric":{"n":"%d"},"value":[1700000000,%q]}`, i, value))
	}
	return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(elements, ",") + `]}}`
}

func TestErrorRate(t *testing.T) {
	for name, test := range map[string]struct {
		status  int
		body    string
		want    float64
		problem string
	}{
		"a share":                   {200, vector("0.25"), 0.25, ""},
		"nothing fails":             {200, vector("0"), 0, ""},
		"a scalar":                  {200, `{"status":"success","data":{"resultType":"scalar","result":[1700000000,"1"]}}`, 1, ""},
		"nothing":                   {200, vector(), 0, "it has no data for the query"},
		"no number":                 {200, vector("NaN"), 0, "the result is NaN, such as from a division by zero"},
		"endless":                   {200, vector("+Inf"), 0, "the result +Inf is out of range"},
		"a percentage of success":   {200, vector("99.5"), 0, "the result 99.5 is out of range"},
		"less than nothing":         {200, vector("-0.1"), 0, "is out of range"},
		"several":                   {200, vector("0", "0.5"), 0, "the query returned 2 results: it must return one"},
		"a range":                   {200, `{"status":"success","data":{"resultType":"matrix","result":[]}}`, 0, "the query returned a matrix"},
		"an invalid query":          {400, `{"status":"error","errorType":"bad_data","error":"parse error"}`, 0, "invalid query: parse error"},
		"the server is unavailable": {503, `{"status":"error","errorType":"unavailable","error":"starting"}`, 0, "unexpected response: server_error: server error: 503"},
		"it is none":                {404, "<html>", 0, "unexpected response: client_error: client error: 404"},
		"it wants a password":       {401, "", 0, "client error: 401"},
		"it is something else":      {200, "<html>", 0, "unexpected response"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked http.Request
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				asked = *r
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			}))
			defer server.Close()
			got, err := New(nil).ErrorRate(t.Context(), Target{Address: server.URL + "/under/"}, "q", time.Unix(1700000000, 0))
			if got != test.want || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("%v, %v; want %v, %q", got, err, test.want, test.problem)
			}
			if asked.URL.Path != "/under/api/v1/query" || asked.Form.Get("query") != "q" || asked.Form.Get("time") != "1700000000" {
				t.Errorf("asked for %s with %v", asked.URL.Path, asked.Form)
			}
		})
	}
}

func TestReportsConnectionErrorsAndTimeouts(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	if _, err := New(nil).ErrorRate(t.Context(), Target{Address: server.URL}, "q", time.Now()); err == nil || errors.Is(err, ErrNoData) || !strings.Contains(err.Error(), "connection failed") {
		t.Errorf("closed server: %v", err)
	}
	silent := make(chan struct{})
	server = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	defer server.Close()
	defer close(silent)
	if _, err := New(nil).ErrorRate(t.Context(), Target{Address: server.URL}, "q", time.Now()); err == nil || err.Error() != "no response within 3s" {
		t.Errorf("silent server: %v", err)
	}
}

func TestVerifiesServerCertificate(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, vector("0.5")) }))
	defer server.Close()
	// What the server says about clients that do not trust it is of no interest.
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, test := range map[string]struct {
		roots   []byte
		want    float64
		problem string
	}{
		"its own root":      {roots, 0.5, ""},
		"no root":           {nil, 0, "connection failed: tls: failed to verify certificate"},
		"what is no root":   {[]byte("secret"), 0, "its caBundle contains no PEM certificate"},
		"the root of other": {pki.New(t).RootPEM, 0, "connection failed: tls: failed to verify certificate"},
	} {
		got, err := New(nil).ErrorRate(t.Context(), Target{Address: server.URL, Roots: test.roots}, "q", time.Now())
		if got != test.want || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
			t.Errorf("%s: %v, %v; want %v, %q", name, got, err, test.want, test.problem)
		}
	}
}

// The token is sent to https addresses only, because anyone on the path could read it otherwise.
func TestSendsTokenOverTLSOnly(t *testing.T) {
	var got string
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		fmt.Fprint(w, vector("0.5"))
	})
	secure, plain := httptest.NewTLSServer(handler), httptest.NewServer(handler)
	defer secure.Close()
	defer plain.Close()
	roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	for _, test := range []struct{ address, token, want string }{
		{secure.URL, "t", "Bearer t"}, {secure.URL, "", ""}, {plain.URL, "t", ""},
	} {
		if _, err := New(nil).ErrorRate(t.Context(), Target{Address: test.address, Roots: roots, Token: test.token}, "q", time.Now()); err != nil || got != test.want {
			t.Errorf("%s with the token %q received %q, want %q: %v", test.address, test.token, got, test.want, err)
		}
	}
}

func TestQuery(t *testing.T) {
	if got := Query(nil); got != "vector(0)" {
		t.Errorf("without namespaces: %s", got)
	}
	want := `max(label_replace((sum(rate(envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name=~"(bank|shop)/.+[|][0-9]+([|]h2)?"}[2m])) or vector(0))` +
		` / clamp_min(sum(rate(envoy_cluster_upstream_rq_xx{envoy_cluster_name=~"(bank|shop)/.+[|][0-9]+([|]h2)?"}[2m]))` +
		` or (0 * count(envoy_server_live) unless sum(envoy_cluster_upstream_rq_xx{envoy_cluster_name=~"(bank|shop)/.+[|][0-9]+([|]h2)?"})), 1e-9), "of", "responses", "", "")` +
		` or label_replace((sum((rate({__name__=~"(envoy_)?osm_request_total",destination_namespace=~"bank|shop",destination_service!="",response_code=~"5..|0"}[2m])` +
		` or rate({__name__=~"(envoy_)?osm_request_total",destination_namespace=~"bank|shop",destination_service!="",grpc_status=~"2|4|8|12|13|14|15"}[2m])))` +
		` / (sum(rate({__name__=~"(envoy_)?osm_request_total",destination_namespace=~"bank|shop",destination_service!=""}[2m])) > 0)), "of", "requests", "", ""))`
	if got := Query([]string{"shop", "bank"}); got != want {
		t.Errorf("the query is\n%s, want\n%s", got, want)
	}
}
