package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
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
		Long: `Wait until the control plane has accepted the current version of a policy, and all affected sidecars have acknowledged it. The
command prints the number of sidecars and the elapsed time. Kinds are traffictarget, httproutegroup, tcproute, trafficsplit, retry, upstreamtrafficsetting,
backpressure and ingressbackend.

The exit code is 1 if a condition of the policy is False, for example because the MeshConfig disables its kind, another policy takes
precedence, or an object that it refers to does not exist. It is also 1 if a sidecar rejects the policy or the timeout expires. A
policy that affects no running pod is accepted with a message of its own.`,
		Example: `  kubectl apply -f grant.yaml && osm wait -n bookstore traffictarget/bookthief-to-bookstore-v1`,
		Args:    atLeast(1, "KIND/NAME"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			namespace, err := a.kube.Namespace()
			if err != nil {
				return err
			}
			return a.waitForAll(ctx, waitOptions{mesh: meshName, namespace: namespace, timeout: timeout}, args)
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

// waitOptions are the flags of the wait command.
type waitOptions struct {
	mesh, namespace string
	timeout         time.Duration
}

// waitForAll waits for policies of a namespace, one after another.
func (a *app) waitForAll(ctx context.Context, o waitOptions, policies []string) error {
	var all []policyRef
	for _, text := range policies {
		kind, name, err := policyName(text)
		if err != nil {
			return err
		}
		all = append(all, policyRef{kind, o.namespace, name})
	}
	limited, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	last := "the cluster has not answered"
	err := a.waitForPolicies(limited, o.mesh, all, &last)
	if ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) && err != nil {
		return fmt.Errorf("timed out after %s: %s: use a longer --timeout if it makes progress", o.timeout, last)
	}
	return err
}

// waitForPolicies waits until policies are in force. It stores what it waits for in last.
func (a *app) waitForPolicies(ctx context.Context, meshName string, policies []policyRef, last *string) error {
	c, m, err := a.open(ctx, meshName, nil)
	if err != nil {
		return err
	}
	replicas := a.reports(ctx, c, m)
	for _, p := range policies {
		w := &policyWait{policyRef: p, mesh: m, reader: c, reports: replicas}
		err := wait.PollUntilContextCancel(ctx, waitInterval, true, func(ctx context.Context) (bool, error) {
			done, err := w.poll(ctx)
			*last = p.String() + " is not in force: " + w.last
			a.progress().report("%s", w.last)
			return done, err
		})
		if err != nil {
			return err
		}
		for _, warning := range w.warnings {
			a.note("Warning: %s: %s", p, warning)
		}
		a.line("%s (%s)", w.summary(), a.progress().elapsed())
	}
	return nil
}
