package cli

import (
	"context"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"

	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

func (a *app) checkCommand() *cobra.Command {
	var preInstall bool
	var meshName string
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check the health of a mesh, or whether a cluster can run one",
		Long: `Check the operator, the control plane, namespaces, sidecars and policies of a mesh. Each problem is printed with its remedy.
With --pre-install, check whether the cluster supports a mesh and whether you have the permissions to install it. The exit code is 1
if a check fails.`,
		Args: exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			if preInstall {
				return a.check(ctx, meshName, false, &form, checks.Subject.PreInstall)
			}
			return a.check(ctx, meshName, true, &form, checks.Subject.ControlPlane, checks.Subject.DataPlane, checks.Subject.Policies)
		}),
	}
	cmd.Flags().BoolVar(&preInstall, "pre-install", false, "check whether the cluster can run a mesh")
	a.addMeshName(cmd, &meshName, "")
	form.AddTo(cmd.Flags())
	return cmd
}

func (a *app) verifyCommand() *cobra.Command {
	var meshName string
	var form output.Flag
	health := &cobra.Command{
		Use:   "control-plane-health",
		Short: "Check the health of the control plane",
		Long:  `Check the Deployments, Services, webhooks and health probes of a control plane. "osm check" also checks namespaces, sidecars and policies.`,
		Args:  exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.check(ctx, meshName, true, &form, checks.Subject.ControlPlane)
		}),
	}
	a.addMeshName(health, &meshName, "")
	form.AddTo(health.Flags())
	return group("verify", "Verify connectivity and the control plane", nil, a.connectivityCommand(), a.verifyIngressCommand(), health)
}

// check runs checks and prints the results.
func (a *app) check(ctx context.Context, meshName string, existing bool, form *output.Flag, parts ...func(checks.Subject, context.Context) []checks.Group) error {
	if err := form.Check(); err != nil {
		return err
	}
	subject, err := a.subject(ctx, meshName, existing)
	if err != nil {
		return err
	}
	a.progress().report("checking mesh %s", subject.Mesh)
	var groups []checks.Group
	for _, part := range parts {
		groups = append(groups, part(subject, ctx)...)
	}
	worst := checks.Worst(groups)
	if form.ForPeople() {
		checks.Print(a.Out, groups)
		a.line("\nStatus: %s", worst)
	} else if err := form.Print(a.Out, output.Result{Data: map[string]any{"status": worst, "groups": groups}, Names: []string{"check/" + string(worst)}}); err != nil {
		return err
	}
	if worst == checks.Failed {
		return silent{exitFailed}
	}
	return nil
}

// subject returns the mesh to check. If the cluster has none, it is the mesh that would be installed. With existing, another mesh than those
// of the cluster is an error.
func (a *app) subject(ctx context.Context, meshName string, existing bool) (checks.Subject, error) {
	c, err := a.kube.Client()
	if err != nil {
		return checks.Subject{}, err
	}
	subject := checks.Subject{
		Client: c, Mesh: meshName, Namespace: a.kube.OSMNamespace, Now: a.now(), Kubernetes: a.kubernetesVersion,
		Ask: func(ctx context.Context, namespace, pod string, port int, path string) error {
			_, err := a.kube.PodAnswer(ctx, namespace, pod, port, path)
			return err
		},
	}
	// Fail early if the API server cannot be reached.
	if _, err := a.kubernetesVersion(); err != nil {
		return checks.Subject{}, err
	}
	all, err := a.meshes(ctx, c)
	if err == nil {
		if meshName != "" && existing && len(all) > 0 && !hasMesh(all, meshName) {
			return checks.Subject{}, noSuchMesh(meshName, all)
		}
		for _, m := range all {
			if m.Name == meshName || meshName == "" && len(all) == 1 {
				subject.Mesh, subject.Namespace, subject.CanarySuffix = m.Name, m.Namespace, m.canarySuffix
			}
		}
		if subject.Mesh == "" && len(all) > 1 {
			return checks.Subject{}, noSuchMesh("", all)
		}
	}
	if subject.Mesh == "" {
		subject.Mesh = names.DefaultMesh
	}
	return subject, nil
}

func (a *app) kubernetesVersion() (*version.Info, error) {
	config, err := a.kube.Config()
	if err != nil {
		return nil, err
	}
	c, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return c.ServerVersion()
}
