package pods_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
	"github.com/openservicemesh/osm-operator/internal/testing/nstest"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
)

// rateLimitRules are rules of the rate limit service. Units are hours, so that no test meets the end of one.
const rateLimitRules = `
domain: shop
descriptors:
- {key: generic_key, value: books, rate_limit: {unit: hour, requests_per_unit: 5}}
- {key: user, rate_limit: {unit: hour, requests_per_unit: 2}}
- {key: to, value: archive, rate_limit: {unit: hour, requests_per_unit: 3}}
`

// rateLimitService is the real rate limit service of Envoy with its Redis.
type rateLimitService struct{ redis *exec.Cmd }

func startRateLimitService(t *testing.T, pod *pods.Pod) *rateLimitService {
	t.Helper()
	if os.Getenv("OSM_TEST_FULL") != "true" {
		t.Skip("this test builds the rate limit service, so it runs in `make test-full`")
	}
	dir := t.TempDir()
	rules := filepath.Join(dir, "ratelimit", "config", "shop.yaml")
	if err := os.MkdirAll(filepath.Dir(rules), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rules, []byte(rateLimitRules), 0o644); err != nil {
		t.Fatal(err)
	}
	s := &rateLimitService{redis: exec.Command(output(t, "go", "run", "-C", "../../../hack", "./images", "redis-path"), "--port", "6379", "--save", "", "--dir", dir)}
	pod.NS.Start(t, s.redis)
	output(t, "go", "build", "-C", "../../../hack/servers/ratelimit", "-o", dir+"/", "tool")
	server := exec.Command(filepath.Join(dir, "service_cmd"))
	server.Env = append(os.Environ(),
		"USE_STATSD=false", "REDIS_SOCKET_TYPE=tcp", "REDIS_URL=127.0.0.1:6379", "RUNTIME_ROOT="+dir, "RUNTIME_SUBDIRECTORY=ratelimit", "RUNTIME_WATCH_ROOT=false",
		"HOST=127.0.0.1", "PORT=8080", "DEBUG_HOST=127.0.0.1", "GRPC_HOST=0.0.0.0", "GRPC_PORT="+strconv.Itoa(rateLimitPort))
	pod.NS.Start(t, server)
	eventually.True(t, 20*time.Second, "the rate limit service accepts connections", func() bool {
		conn, err := pod.NS.Dial(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(rateLimitPort)))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return s
}

// output runs a command and returns the last line that it prints.
func output(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

// TestRateLimitService counts requests and connections in the real service: 5 requests for books, 2 for each user, 3 connections.
func TestRateLimitService(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	outside := s.network.Bare(t)
	service := startRateLimitService(t, outside)
	common := upstream.GlobalLimit{Address: outside.IP.String(), Port: rateLimitPort, Domain: "shop", Timeout: 2 * time.Second}
	configure := func(failOpen bool) {
		t.Helper()
		common.FailOpen = failOpen
		server := s.serverScope()
		server.Inbound[0].Limits = &scope.Limits{
			Policy: entity.Ref{Kind: upstream.Kind, Name: entity.Name{Namespace: "shop", Name: "limits"}},
			GlobalRequests: &upstream.GlobalRequestLimit{GlobalLimit: common, LimitHeaders: true, Status: 429, Routes: []upstream.RouteDescriptors{
				{Path: "/books/.*", Descriptors: []upstream.RequestDescriptor{{{Value: "books"}}, {{Key: "user", Header: "x-user"}}}},
			}},
		}
		for i := range server.Inbound {
			if server.Inbound[i].Service == archive {
				server.Inbound[i].Limits = &scope.Limits{GlobalConnections: &upstream.GlobalConnectionLimit{
					GlobalLimit: common, Descriptors: []upstream.ConnectionDescriptor{{{Key: "to", Value: "archive"}}},
				}}
			}
		}
		s.configure(t, s.clientScope(), server)
	}
	get := func(user string) string {
		answer := s.client.Get(t, "http://"+webIP.String()+"/books/1", "x-user: "+user)
		return fmt.Sprint(answer.Status)
	}
	archived := func() bool {
		answer, err := s.client.Exchange(t, nstest.Address(archiveIP.String(), 3306), "hello\n")
		return err == nil && answer != ""
	}
	configure(false)
	var seen []string
	for _, user := range []string{"a", "a", "a", "b", "b", "c", "d"} {
		seen = append(seen, get(user))
	}
	// The third request of a is above its limit, and counts for the limit of all: c is the sixth.
	if got, want := strings.Join(seen, " "), "200 200 429 200 200 429 429"; got != want {
		t.Errorf("requests of a, a, a, b, b, c and d: %s, want %s", got, want)
	}
	var forwarded []bool
	for range 5 {
		forwarded = append(forwarded, archived())
	}
	if got, want := fmt.Sprint(forwarded), "[true true true false false]"; got != want {
		t.Errorf("connections are forwarded: %s, want %s", got, want)
	}

	// Without Redis, the service answers with errors.
	if err := service.redis.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually.True(t, 20*time.Second, "a limit that fails closed rejects requests", func() bool { return get("e") == "503" })
	configure(true)
	eventually.True(t, 20*time.Second, "a limit that fails open forwards them", func() bool { return get("e") == "200" && archived() })
}
