package pods_test

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
	"github.com/openservicemesh/osm-operator/internal/testing/pods"
	"github.com/openservicemesh/osm-operator/internal/testing/procusage"
)

// downloadBytes is the length of an answer that clients read slowly.
const downloadBytes = 100 << 20

// TestSlowReadersAreBounded lets clients begin downloads that they do not read. Sidecars keep less than 640 KiB for each, whatever the protocol. With the
// defaults of Envoy it was 1.4 MiB and more.
func TestSlowReadersAreBounded(t *testing.T) {
	t.Parallel()
	const each, bound = 20, 640 << 10
	s := newDownloads(t, pods.NewNetwork(t))
	client, server := allocated(t, s.client), allocated(t, s.server)
	for kind, open := range downloads {
		readers := open(t, s, each)
		time.Sleep(2 * time.Second)
		for name, grown := range map[string]int{"client": allocated(t, s.client) - client, "server": allocated(t, s.server) - server} {
			if grown < each*(64<<10) || grown > each*bound {
				t.Errorf("the sidecar of the %s keeps %d KiB for each reader of %s, want 64 to %d", name, grown/each>>10, kind, bound>>10)
			}
		}
		for _, reader := range readers {
			_ = reader.Close()
		}
	}
}

// BenchmarkSlowReaders measures sidecars whose clients read 100 kB a second each, for 20 seconds. No sidecar may need more than 128 MiB.
func BenchmarkSlowReaders(b *testing.B) {
	const readers, interval, most = 100, 100 * time.Millisecond, 128 << 20
	for kind, open := range downloads {
		b.Run(kind, func(b *testing.B) {
			s := newDownloads(b, pods.NewNetwork(b))
			for range b.N {
				for _, reader := range open(b, s, readers) {
					defer reader.Close()
					go readSlowly(reader, 10_000, interval)
				}
				peak := map[string]int{}
				for range 20 {
					time.Sleep(time.Second)
					for name, pod := range map[string]*pods.Pod{"client": s.client, "server": s.server} {
						peak[name+"-resident-MiB"] = max(peak[name+"-resident-MiB"], resident(b, pod))
						peak[name+"-allocated-MiB"] = max(peak[name+"-allocated-MiB"], allocated(b, pod))
					}
				}
				for unit, bytes := range peak {
					b.ReportMetric(float64(bytes)/(1<<20), unit)
					if bytes > most {
						b.Errorf("%s: %d bytes, want at most %d", unit, bytes, most)
					}
				}
			}
		})
	}
}

// downloads has functions that begin a number of downloads and return them unread.
var downloads = map[string]func(testing.TB, *shop, int) []io.ReadCloser{
	"HTTP1": func(t testing.TB, s *shop, count int) []io.ReadCloser {
		return sayTo(t, s, count, webIP.String()+":80", "GET /large HTTP/1.1\r\nHost: web.shop\r\n\r\n")
	},
	"TCP": func(t testing.TB, s *shop, count int) []io.ReadCloser {
		return sayTo(t, s, count, archiveIP.String()+":3306", "large\n")
	},
	"HTTP2": openStreams,
}

// sayTo opens connections and sends a line on each.
func sayTo(t testing.TB, s *shop, count int, address, line string) []io.ReadCloser {
	t.Helper()
	out := make([]io.ReadCloser, 0, count)
	for range count {
		conn, err := s.client.Dial(t, address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, line); err != nil {
			t.Fatal(err)
		}
		out = append(out, conn)
	}
	return out
}

// openStreams opens streams of one connection over HTTP/2, with a small window each.
func openStreams(t testing.TB, s *shop, count int) []io.ReadCloser {
	t.Helper()
	transport := &http.Transport{DialContext: s.client.NS.Dial, Protocols: new(http.Protocols), HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	out := make([]io.ReadCloser, 0, count)
	for range count {
		answer, err := (&http.Client{Transport: transport}).Get("http://" + webIP.String() + "/large") //nolint:bodyclose // the caller closes it
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, answer.Body)
	}
	return out
}

func readSlowly(r io.Reader, bytes int, interval time.Duration) {
	buffer := make([]byte, bytes)
	for {
		if _, err := io.ReadFull(r, buffer); err != nil {
			return
		}
		time.Sleep(interval)
	}
}

// newDownloads is a shop that any client may download from, over HTTP from the Service web and over TCP from archive.
func newDownloads(t testing.TB, n *pods.Network) *shop {
	t.Helper()
	s := &shop{network: n, client: n.Pod(t, "client"), server: n.Pod(t, "server")}
	s.serveDownloads(t)
	return s
}

func (s *shop) serveDownloads(t testing.TB) {
	t.Helper()
	s.server.ServeHTTP(t, 8080, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			w.Header().Set("Content-Length", strconv.Itoa(downloadBytes))
			download(w)
		}
	}))
	s.server.ServeTCP(t, 3306, func(c net.Conn) {
		if _, err := c.Read(make([]byte, 1)); err == nil {
			download(c)
		}
	})
	client := s.clientScope()
	s.server.Configure(t, s.openServer())
	s.client.Configure(t, client, s.endpoints(client)...)
}

// openServer is serverScope with a Service web that any client may call.
func (s *shop) openServer() *scope.Scope {
	out := s.serverScope()
	out.Inbound[0].Rules = authz.Rules{Permissive: true, Routes: []authz.Route{{AnySource: true}}}
	return out
}

// download writes until the peer is gone.
func download(w io.Writer) {
	part := strings.Repeat("a", 64<<10)
	for range downloadBytes / len(part) {
		if _, err := io.WriteString(w, part); err != nil {
			return
		}
	}
}

// allocated returns how many bytes the heap of a sidecar has in use.
func allocated(t testing.TB, p *pods.Pod) int {
	t.Helper()
	var memory struct {
		Allocated int `json:"allocated,string"`
	}
	if err := json.Unmarshal([]byte(p.Admin(t, "/memory")), &memory); err != nil {
		t.Fatal(err)
	}
	return memory.Allocated
}

// resident returns the resident memory of a sidecar in bytes, with the pages of its program.
func resident(t testing.TB, p *pods.Pod) int {
	t.Helper()
	usage, err := procusage.Of(p.PID)
	if err != nil {
		t.Fatal(err)
	}
	return int(usage.Resident)
}
