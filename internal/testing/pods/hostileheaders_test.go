package pods_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/openservicemesh/osm-operator/internal/testing/envoytest"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// hostileMark is in every hostile value, so no metric may have it.
const hostileMark = "h0stile"

// hostileValues are values of headers that are, or could become, part of something else: names and labels of statistics, formats of logs, texts of
// Prometheus, JSON and UTF-8. Envoy may reject a value with its request.
var hostileValues = []string{
	hostileMark,
	hostileMark + strings.Repeat("a", 40_000),
	hostileMark + `"} 1 # "` + "'`",
	hostileMark + `",le="1`,
	hostileMark + `\" \n \\ \`,
	hostileMark + ".a.b|c|d;e=f,g;.h_i..j.",
	hostileMark + ".response_code.200.vhost.x.vcluster.y._rq_500.__osm",
	"%DURATION%" + hostileMark + "%REQ(:path)% %%  %(  %CEL(1/0)% %ENVIRONMENT(PATH)%",
	hostileMark + "{{ .Values }} ${jndi:ldap://x} $(id) {0} {}",
	hostileMark + "\ttab\t",
	hostileMark + "\x01\x07\x1b[31m\x7f",
	hostileMark + "\x00",
	hostileMark + "\xff\xfe\xc3\x28\xed\xa0\x80\xf5",
	hostileMark + "\xe2\x80\xae\xe2\x80\xa8 ünïcode \U0001F4A3",
	hostileMark + "; \r folded",
	"-1" + hostileMark, "99999999999999999999" + hostileMark, "1e999" + hostileMark, "",
}

// hostileStatuses are values of grpc-status, as numbers and as other texts.
var hostileStatuses = append([]string{"0", "14", "16", "17", "1234567", "4294967296", "99999999999999999999", "-5", "+1", "0x1", "1.5", " 7 ", "NaN"}, hostileValues...)

// TestHostileHeaders sends values that are meant for the metrics and logs of sidecars, through two of them and back, with both supported versions of
// Envoy. Envoy's documentation calls the extension that counts requests unfinished. Both sidecars must survive, and no metric may have anything of a request.
func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	for version, binary := range envoytest.Binaries(t) {
		t.Run(version, func(t *testing.T) { testHostileHeaders(t, binary) })
	}
}

func testHostileHeaders(t *testing.T, binary string) {
	t.Parallel()
	s := measuredPods(t, binary, func(*bootstrapv3.Bootstrap) {})
	s.dial = s.throughSidecar
	var answer atomic.Value // a string
	answer.Store("grpc-status: 0\r\n")
	s.server.ServeTCP(t, 8080, func(c net.Conn) { answerWith(c, &answer) })

	served := 0
	for _, head := range hostileHeads() {
		if s.exchanges(t, head) {
			served++
		}
	}
	if served < 300 {
		t.Errorf("%d hostile requests were served, so too few arrived at the server", served)
	}
	served = 0
	for _, headers := range hostileAnswers() {
		answer.Store(headers)
		if s.exchanges(t, "GET /books/1 HTTP/1.1\r\nhost: web\r\n") {
			served++
		}
		s.exchanges(t, "GET /books/1 HTTP/1.1\r\nhost: web\r\ncontent-type: application/grpc\r\nte: trailers\r\n")
	}
	if served < 100 {
		t.Errorf("%d hostile responses arrived at the client", served)
	}
	for _, pod := range []*pods.Pod{s.client, s.server} {
		checkOwnLabels(t, pod)
	}
	answer.Store("")
	if answer := s.client.Get(t, "http://"+webIP.String()+"/books/1"); answer.Status != http.StatusOK {
		t.Errorf("afterwards a request gets %v", answer)
	}
}

// hostileHeads are heads of requests without their last line.
func hostileHeads() (heads []string) {
	request := func(method, path, host, headers string) {
		heads = append(heads, method+" "+path+" HTTP/1.1\r\nhost: "+host+"\r\n"+headers)
	}
	for _, v := range hostileValues {
		request("GET", "/books/1", v, "")
		request("GET", "/books/"+v, "web", "")
		request("GET", "/books/1?"+v, "web", "")
		request(v, "/books/1", "web", "")
		for _, header := range []string{
			"user-agent", "x-request-id", "x-forwarded-for", "referer", "traceparent", "x-envoy-original-path", "x-osm-destination",
			"x-envoy-upstream-service-time", "content-type", "grpc-status", "grpc-timeout",
		} {
			request("GET", "/books/1", "web", header+": "+v+"\r\n")
			request("GET", "/books/1", "web", header+": "+v+"\r\ncontent-type: application/grpc\r\n")
		}
		request("GET", "/books/1", "web", v+": x\r\n")
	}
	return heads
}

// hostileAnswers are the headers of responses.
func hostileAnswers() (answers []string) {
	for _, v := range hostileStatuses {
		answers = append(answers, "content-type: application/grpc\r\ngrpc-status: "+v+"\r\n", "grpc-status: "+v+"\r\ngrpc-message: "+v+"\r\n")
	}
	for _, v := range hostileValues {
		for _, header := range []string{"server", "content-type", "x-envoy-upstream-service-time", "x-request-id", "x-osm-not-processed", "x-envoy-overloaded"} {
			answers = append(answers, header+": "+v+"\r\n")
		}
	}
	return answers
}

// answerWith answers each request on a connection with headers.
func answerWith(c net.Conn, headers *atomic.Value) {
	lines := bufio.NewReader(c)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if strings.TrimSpace(line) == "" {
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%scontent-length: 0\r\n\r\n", headers.Load())
		}
	}
}

// exchanges sends the head of a request and reports whether its status is 200. Every request must be answered, with a rejection at least.
func (s *shop) exchanges(t *testing.T, head string) bool {
	t.Helper()
	conn := s.dial(t)
	defer conn.Close()
	if _, err := io.WriteString(conn, head+"connection: close\r\n\r\n"); err != nil {
		t.Fatalf("%.60q: %v", head, err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatalf("%.60q is not answered: %v", head, err)
	}
	return strings.HasPrefix(line, "HTTP/1.1 200 ")
}

// ownLabels are all values that labels of the mesh may have in measuredPods.
var ownLabels = map[string]*regexp.Regexp{
	"source_namespace":      regexp.MustCompile(`^shop$`),
	"source_kind":           regexp.MustCompile(`^Deployment$`),
	"source_name":           regexp.MustCompile(`^buyer$`),
	"destination_namespace": regexp.MustCompile(`^(shop)?$`),
	"destination_service":   regexp.MustCompile(`^(web)?$`),
	"destination_kind":      regexp.MustCompile(`^(StatefulSet)?$`),
	"destination_name":      regexp.MustCompile(`^(books)?$`),
	"source_identity":       regexp.MustCompile(`^(buyer\.shop\.cluster\.local)?$`),
	"destination_identity":  regexp.MustCompile(`^(books\.shop\.cluster\.local)?$`),
	"response_code":         regexp.MustCompile(`^(\d\d\d|0)$`),
	"grpc_status":           regexp.MustCompile(`^(\d{1,19}|-1)?$`), // a number, whatever it is
	"verdict":               regexp.MustCompile(`^(allowed|denied)?$`),
	"route":                 regexp.MustCompile(`^(GET /books/\.\*|/admin|-)?$`),
}

// checkOwnLabels parses the metrics of a sidecar as Prometheus does, and compares the labels of the mesh with those that are possible.
func checkOwnLabels(t *testing.T, pod *pods.Pod) {
	t.Helper()
	var families map[string]*dto.MetricFamily
	eventually.True(t, 10*time.Second, "all requests are counted", func() bool {
		text := pod.Admin(t, "/stats/prometheus")
		parser := expfmt.NewTextParser(model.LegacyValidation)
		var err error
		if families, err = parser.TextToMetricFamilies(strings.NewReader(text)); err != nil {
			t.Fatalf("Prometheus cannot parse the metrics: %v", err)
		}
		if at := strings.Index(text, hostileMark); at >= 0 {
			t.Fatalf("the metrics have a value of a request: %.200q", text[at:])
		}
		return families["envoy_osm_request_total"] != nil || families["envoy_osm_inbound_request_total"] != nil
	})
	for name, family := range families {
		if !strings.HasPrefix(name, "envoy_osm_") {
			continue
		}
		for _, metric := range family.GetMetric() {
			for _, l := range metric.GetLabel() {
				if allowed := ownLabels[l.GetName()]; allowed == nil || !allowed.MatchString(l.GetValue()) {
					t.Errorf("%s has the label %s=%.60q", name, l.GetName(), l.GetValue())
				}
			}
		}
	}
}
