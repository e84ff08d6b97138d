package cli

import (
	"context"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"

	"github.com/openservicemesh/osm-operator/internal/cli/checks"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/names"
)

func (a *app) checkCommand() *cobra.Command {
	var preInstall bool
	var meshName string
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check that a mesh is healthy, or that one can be installed",
		Long: `Checks the operator, the control plane, the namespaces, sidecars and policies of a mesh, and says what to do about what is
not as it should be. With --pre-install, checks whether the cluster can take a mesh, and whether you may install one. The exit
code is 1 when a check fails.`,
		Args: exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			if preInstall {
				return a.check(ctx, meshName, &form, checks.Subject.PreInstall)
			}
			return a.check(ctx, meshName, &form, checks.Subject.ControlPlane, checks.Subject.DataPlane, checks.Subject.Policies)
		}),
	}
	cmd.Flags().BoolVar(&preInstall, "pre-install", false, "check whether a mesh can be installed")
	a.addMeshName(cmd, &meshName, "")
	form.AddTo(cmd.Flags())
	return cmd
}

func (a *app) verifyCommand() *cobra.Command {
	var meshName string
	var form output.Flag
	health := &cobra.Command{
		Use:   "control-plane-health",
		Short: "Check that the control plane works",
		Long:  `Checks the Deployments, Services, webhooks and health probes of a control plane. "osm check" checks namespaces, sidecars and policies too.`,
		Args:  exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error {
			return a.check(ctx, meshName, &form, checks.Subject.ControlPlane)
		}),
	}
	a.addMeshName(health, &meshName, "")
	form.AddTo(health.Flags())
	return group("verify", "Verify that parts of a mesh work", nil, a.connectivityCommand(), a.verifyIngressCommand(), health)
}

// check makes checks and prints their results.
func (a *app) check(ctx context.Context, meshName string, form *output.Flag, parts ...func(checks.Subject, context.Context) []checks.Group) error {
	if err := form.Check(); err != nil {
		return err
	}
	subject, err := a.subject(ctx, meshName)
	if err != nil {
		return err
	}
	a.progress().say("asking the cluster about mesh %s", subject.Mesh)
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

// subject is the mesh to check. Without any, it is the one that would be installed.
func (a *app) subject(ctx context.Context, meshName string) (checks.Subject, error) {
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
	// One question to the cluster first: when it cannot be reached, that is all there is to say.
	if _, err := a.kubernetesVersion(); err != nil {
		return checks.Subject{}, err
	}
	all, err := a.meshes(ctx, c)
	if err == nil {
		for _, m := range all {
			if m.Name == meshName || meshName == "" && len(all) == 1 {
				subject.Mesh, subject.Namespace, subject.Beside = m.Name, m.Namespace, m.beside
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
