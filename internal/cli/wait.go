package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	reportclient "github.com/openservicemesh/osm-operator/internal/report/client"
)

// shortNames maps short names to policy kinds.
var shortNames = map[string]string{"tt": "TrafficTarget", "htr": "HTTPRouteGroup", "tr": "TCPRoute", "ts": "TrafficSplit"}

// policyKind returns the policy kind for a singular, plural or short name, or "" if there is none.
func policyKind(text string) string {
	text = strings.ToLower(text)
	for _, source := range traffic.Sources() {
		plural, singular := meta.UnsafeGuessKindToResource(source.Object.GetObjectKind().GroupVersionKind())
		if text == plural.Resource || text == singular.Resource || shortNames[text] == string(source.Kind) {
			return string(source.Kind)
		}
	}
	return ""
}

// policyKinds returns the policy kinds in lower case.
func policyKinds() []string {
	var all []string
	for _, source := range traffic.Sources() {
		all = append(all, strings.ToLower(string(source.Kind)))
	}
	return all
}

func (a *app) waitCommand() *cobra.Command {
	var meshName string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "wait KIND/NAME...",
		Short: "Wait until policies are in force",
		Long: `Wait until all affected sidecars have acknowledged the current version of a policy. The command prints the number of sidecars and
the elapsed time. Kinds are traffictarget, httproutegroup, tcproute, trafficsplit, retry, upstreamtrafficsetting,
backpressure and ingressbackend.
The exit code is 1 if a sidecar rejects the policy or the timeout expires.`,
		Example: `  kubectl apply -f grant.yaml && osm wait -n bookstore traffictarget/bookthief-to-bookstore-v1`,
		Args:    atLeast(1, "KIND/NAME"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			namespace, err := a.kube.Namespace()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			return a.waitForAll(ctx, meshName, namespace, args)
		}),
	}
	cmd.ValidArgsFunction = a.completePolicies
	a.addMeshName(cmd, &meshName, "")
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "time to wait")
	return cmd
}

// policyName parses "KIND/NAME". The kind may include its group, as in the output of kubectl.
func policyName(text string) (kind, name string, err error) {
	kind, name, found := strings.Cut(text, "/")
	plain, _, _ := strings.Cut(kind, ".")
	if known := policyKind(plain); found && known != "" && name != "" {
		return known, name, nil
	}
	return "", "", fmt.Errorf("invalid policy %q: must be KIND/NAME, such as traffictarget/NAME; kinds are %s", text, strings.Join(policyKinds(), ", "))
}

// waitForAll waits for policies of a namespace, one after another.
func (a *app) waitForAll(ctx context.Context, meshName, namespace string, policies []string) error {
	type policy struct{ kind, name string }
	var all []policy
	for _, text := range policies {
		kind, name, err := policyName(text)
		if err != nil {
			return err
		}
		all = append(all, policy{kind, name})
	}
	c, m, err := a.open(ctx, meshName, nil)
	if err != nil {
		return err
	}
	replicas := a.reports(ctx, c, m)
	for _, p := range all {
		if err := a.waitFor(ctx, c, replicas, p.kind, namespace, p.name); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) waitFor(ctx context.Context, c client.Client, replicas *reportclient.Client, kind, namespace, name string) error {
	p := a.progress()
	what := kind + " " + namespace + "/" + name
	last := "the control plane has not observed it"
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		generation, err := generationOf(ctx, c, kind, namespace, name)
		if err != nil {
			return false, err
		}
		answers, err := replicas.Object(ctx, kind, namespace, name)
		if err != nil {
			return false, err
		}
		sum, err := reportclient.Combine(answers, generation)
		if errors.Is(err, reportclient.ErrNotFound) {
			p.report("%s", last)
			return false, nil
		}
		if err != nil {
			return false, err
		}
		last = fmt.Sprintf("%d of %d sidecars have acknowledged it", sum.Acknowledged, sum.Sidecars)
		if len(sum.Unknown) > 0 {
			last += fmt.Sprintf("; replicas that do not respond: %s (%v)", strings.Join(sum.Unknown, ", "), firstError(answers))
		}
		if sum.Rejected > 0 {
			return false, fmt.Errorf("%s was rejected by %d of %d sidecars: see the errors with `osm proxy status -o wide`", what, sum.Rejected, sum.Sidecars)
		}
		if len(sum.Outdated) > 0 {
			last += "; replicas that have not observed its newest version: " + strings.Join(sum.Outdated, ", ")
		}
		p.report("%s", last)
		return !sum.Settled.IsZero() && len(sum.Unknown) == 0, nil
	})
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("timed out: %s is not in force after %s: %s", what, p.elapsed(), last)
	}
	if err == nil {
		a.line("%s is in force: %s (%s)", what, last, p.elapsed())
	}
	return err
}

// generationOf returns the current generation of a policy. A replica with an older generation is outdated. Without permission to read
// the policy, the result is 0, which disables the comparison.
func generationOf(ctx context.Context, c client.Client, kind, namespace, name string) (int64, error) {
	for _, source := range traffic.Sources() {
		if string(source.Kind) != kind {
			continue
		}
		object := &metav1.PartialObjectMetadata{}
		object.SetGroupVersionKind(source.Object.GetObjectKind().GroupVersionKind())
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
		switch {
		case apierrors.IsNotFound(err):
			return 0, fmt.Errorf("%s %s/%s not found", kind, namespace, name)
		case apierrors.IsForbidden(err):
			return 0, nil
		}
		return object.GetGeneration(), err
	}
	return 0, nil
}
