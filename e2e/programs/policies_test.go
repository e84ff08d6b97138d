package programs

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/cli"
)

// applyProposed applies the policies that `osm explain` proposes for each call.
func (r *run) applyProposed(t *testing.T) {
	t.Helper()
	for _, c := range r.calls {
		question := []string{r.namespace + "/sa/" + c.from, "to", r.namespace + "/svc/" + c.to}
		proposed := r.explain(t, append(question, "--remedy")...)
		if !strings.Contains(proposed, "TrafficTarget") {
			t.Fatalf("explain %v proposes %q", question, proposed)
		}
		lab.Must(t, cluster.Apply(t.Context(), proposed))
	}
}

// explain returns what `osm explain` prints. Its exit code is that of the answer.
func (r *run) explain(t *testing.T, args ...string) string {
	t.Helper()
	var out, problems bytes.Buffer
	root := cli.New(cli.Streams{In: strings.NewReader(""), Out: &out, Err: &problems}, time.Now, func(string) string { return "" })
	root.SetArgs(append([]string{"explain", "--kubeconfig", cluster.Kubeconfig}, args...))
	if err := root.ExecuteContext(t.Context()); err != nil && out.Len() == 0 {
		t.Fatalf("osm explain %v: %v: %s", args, err, problems.String())
	}
	return out.String()
}
