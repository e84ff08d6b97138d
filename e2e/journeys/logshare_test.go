package journeys

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/cli"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// A mesh that logs no ordinary requests shows all of them to `osm tap`, and a session over TCP goes on.
func testTapOfAnUnloggedMesh(t *testing.T) {
	s := sharedFixture(t)
	patchMeshConfig(t, `{"spec":{"observability":{"accessLog":{"samplingPercentage":"0"}}}}`, `{"spec":{"observability":{"accessLog":null}}}`)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var shown, problems lockedBuffer
	ended := make(chan error, 1)
	root := cli.New(cli.Streams{In: strings.NewReader(""), Out: &shown, Err: &problems}, time.Now, func(string) string { return "" })
	root.SetArgs([]string{"tap", "pod/server", "-n", s.server.namespace, "--path", "/books?", "--kubeconfig", cluster.Kubeconfig})
	go func() { ended <- root.ExecuteContext(ctx) }()
	const count = 10
	rounds := 0
	// await sends requests until a number of one round is in the log of the server's sidecar, and returns the name of the round.
	await := func(expectation string, want int) (round string) {
		eventually.True(t, time.Minute, expectation, func() bool {
			rounds++
			round = fmt.Sprintf("/books?round-%d", rounds)
			result, err := s.friend.Requests(t.Context(), s.server.url(round), "--count", strconv.Itoa(count))
			lab.Must(t, err)
			if result.Outcomes["200"] != count {
				t.Fatalf("the outcomes are %v, want 200", result.Outcomes)
			}
			time.Sleep(2 * time.Second) // a sidecar writes its log every second
			return strings.Count(s.serverLog(t), round+`"`) == want
		})
		return round
	}
	all := await("all requests are logged", count)
	if n := strings.Count(shown.String(), all+" "); n != count {
		t.Errorf("%d of %d requests are shown", n, count)
	}
	interrupt()
	if err := <-ended; err != nil && !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("the command ends with %v, and says %s", err, problems.String())
	}
	await("no request is logged after the command", 0)
}

// serverLog is the access log of the server's sidecar.
func (f *fixture) serverLog(t *testing.T) string {
	t.Helper()
	text, err := cluster.Logs(t.Context(), f.server.namespace, f.server.name, names.SidecarContainer, 1000)
	lab.Must(t, err)
	return text
}

// lockedBuffer is a buffer that one goroutine writes and another one reads.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns what was written.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
