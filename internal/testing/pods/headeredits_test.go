package pods_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// Bodies that a server or client reads as a message of their own, if the header that says where they end is changed.
const (
	bodyLikeRequest  = "GET /smuggled HTTP/1.1\r\nhost: bank\r\n\r\n"
	bodyLikeResponse = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"
)

// requestLog has the paths of requests.
type requestLog struct {
	mutex sync.Mutex
	paths []string
}

func (l *requestLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mutex.Lock()
	l.paths = append(l.paths, r.URL.Path)
	l.mutex.Unlock()
	_, _ = io.Copy(io.Discard, r.Body)
	if r.URL.Path == "/next" {
		_, _ = io.WriteString(w, "answer to the next request")
		return
	}
	_, _ = io.WriteString(w, bodyLikeResponse)
}

func (l *requestLog) take() []string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	taken := l.paths
	l.paths = nil
	return taken
}

// headerFilter is a filter that changes one header, in YAML.
func headerFilter(message, edit, header string) string {
	change := fmt.Sprintf("{%s: [{name: %s, value: '0'}]}", edit, header)
	if edit == "remove" {
		change = fmt.Sprintf("{remove: [%s]}", header)
	}
	return fmt.Sprintf("{type: %sHeaderModifier, %sHeaderModifier: %s}", message, strings.ToLower(message), change)
}

// TestHeaderEditsLeaveMessagesWhole sends a request with a body through each edit of each header that says where a message ends or belongs to its connection, and
// another request over the same connection. Each request has its own answer, and the server receives no request that is a part of a body.
func TestHeaderEditsLeaveMessagesWhole(t *testing.T) {
	t.Parallel()
	v, log := newVillage(t), &requestLog{}
	v.apply(catalog.Set(&catalog.Settings{Permissive: true}))
	client := v.addPod(t, "client", "client", redirect.Config{})
	v.addPod(t, "server", "server", redirect.Config{}).ServeHTTP(t, 8080, log)
	v.services(t, "metadata: {name: web}\nspec: {clusterIPs: [10.96.0.1], selector: {app: server}, ports: [{name: http, port: 80, targetPort: 8080}]}")
	rules, served := []string{}, map[int]bool{}
	addRule := func(filter string) {
		rules = append(rules, fmt.Sprintf("{matches: [{path: {type: PathPrefix, value: /%d}}], filters: [%s], backendRefs: [{name: web, port: 80}]}", len(rules), filter))
	}
	for _, message := range []string{"Request", "Response"} {
		for _, edit := range []string{"set", "add", "remove"} {
			for _, header := range []string{"Content-Length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "keep-alive", "expect", "x-own"} {
				served[len(rules)] = header == "x-own"
				addRule(headerFilter(message, edit, header))
			}
		}
	}
	v.apply(catalog.Set(routeOfEdits(t, append(rules, "{backendRefs: [{name: web, port: 80}]}"))))
	v.configure(t)
	for i, rule := range rules {
		path := fmt.Sprintf("/%d/", i)
		first, second := twoAnswers(t, client, path)
		want := []string{path, "/next"}
		status := 200
		if !served[i] {
			want, status = []string{"/next"}, 500
		}
		if got := log.take(); first != status || second != "answer to the next request" || !slices.Equal(got, want) {
			t.Errorf("%s: status %d, and the answer to the next request is %q; the server received %q, want %q", rule, first, second, got, want)
		}
	}
}

func routeOfEdits(t *testing.T, rules []string) *catalog.HTTPRoute {
	t.Helper()
	object := &unstructured.Unstructured{}
	text := "metadata: {name: edits, namespace: shop}\nspec:\n  parentRefs: [{group: '', kind: Service, name: web}]\n  rules: [" + strings.Join(rules, ", ") + "]"
	if err := yaml.Unmarshal([]byte(text), &object.Object); err != nil {
		t.Fatal(err)
	}
	route, problems := ingest.HTTPRoute(object)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return route
}

// twoAnswers sends a POST with a body that looks like a request, and then a GET for /next. It returns the status of the first answer, and the body of the second.
func twoAnswers(t *testing.T, client *pods.Pod, path string) (status int, next string) {
	t.Helper()
	conn := dialWeb(t, client)
	defer func() { conn.Close() }()
	reader := bufio.NewReader(conn)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nhost: web\r\ncontent-length: %d\r\n\r\n%s", path, len(bodyLikeRequest), bodyLikeRequest)
	first, err := http.ReadResponse(reader, nil)
	if err != nil {
		return 0, err.Error()
	}
	_, _ = io.Copy(io.Discard, first.Body)
	first.Body.Close()
	if first.Close {
		conn.Close()
		conn = dialWeb(t, client)
		reader = bufio.NewReader(conn)
	}
	fmt.Fprint(conn, "GET /next HTTP/1.1\r\nhost: web\r\n\r\n")
	second, err := http.ReadResponse(reader, nil)
	if err != nil {
		return first.StatusCode, err.Error()
	}
	defer second.Body.Close()
	body, _ := io.ReadAll(second.Body)
	return first.StatusCode, string(body)
}

func dialWeb(t *testing.T, client *pods.Pod) net.Conn {
	t.Helper()
	conn, err := client.Dial(t, "10.96.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn
}
