package programs

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/internal/cli"
)

// applyProposed applies the policies that `osm explain` proposes for each call, unless those of an earlier call allow it too.
func (r *run) applyProposed(t *testing.T) {
	t.Helper()
	for _, c := range r.calls {
		question := []string{r.namespace + "/sa/" + c.from, "to", r.namespace + "/svc/" + c.to}
		// No policy is proposed for a Service before its first pod exists.
		lab.Eventually(t, readyLimit, "a proposal for "+strings.Join(question, " "), func(ctx context.Context) (bool, string, error) {
			proposed, notes, err := explain(ctx, append(question, "--remedy")...)
			if strings.Contains(notes, "already allowed") {
				return true, "", nil
			}
			if !strings.Contains(proposed, "TrafficTarget") {
				return false, notes, err
			}
			return true, "", cluster.Apply(ctx, proposed)
		})
	}
}

// explain returns what `osm explain` prints. Its error is also that of a denied call.
func explain(ctx context.Context, args ...string) (text, notes string, err error) {
	var out, problems bytes.Buffer
	root := cli.New(cli.Streams{In: strings.NewReader(""), Out: &out, Err: &problems}, time.Now, func(string) string { return "" })
	root.SetArgs(append([]string{"explain", "--kubeconfig", cluster.Kubeconfig}, args...))
	err = root.ExecuteContext(ctx)
	return out.String(), problems.String(), err
}
