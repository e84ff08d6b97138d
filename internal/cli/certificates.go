package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/output"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

func (a *app) certificatesCommand() *cobra.Command {
	var meshName string
	var form output.Flag
	cmd := &cobra.Command{
		Use:   "certificates",
		Short: "Show the certificates of a mesh, from the roots to the workloads",
		Long: `Show the roots that a mesh trusts, what they have issued, who has it, and when it expires. During a rotation, show its step
and what it waits for.

The exit code is 1 if a rotation waits for something, or if a replica of the control plane does not respond.`,
		Example: `  osm certificates
  osm certificates -o json`,
		Args: exactly(0, ""),
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.certificates(ctx, meshName, &form) }),
	}
	a.addMeshName(cmd, &meshName, "")
	form.AddTo(cmd.Flags())
	cmd.AddCommand(a.certificatesCheckCommand())
	return cmd
}

func (a *app) certificates(ctx context.Context, meshName string, form *output.Flag) error {
	c, m, err := a.open(ctx, meshName, form)
	if err != nil {
		return err
	}
	live, err := declaredMesh(ctx, c, m)
	if err != nil {
		return err
	}
	sidecars, complete, err := a.sidecars(ctx, c, m, "")
	if err != nil {
		return err
	}
	var reported []report.Proxy
	for _, s := range sidecars {
		reported = append(reported, s.Proxy)
	}
	tree := newCertificateTree(m.Name, *live.Status.Certificates, reported)
	tree.Rotation = rotationOf(live)
	result := output.Result{Data: tree, Names: []string{"mesh.operator.openservicemesh.io/" + m.Name}, Table: a.certificateTable(tree)}
	if err := form.Print(a.Out, result); err != nil {
		return err
	}
	if form.ForPeople() {
		a.describeIssuance(*live.Status.Certificates)
	}
	if r := tree.Rotation; r != nil && form.ForPeople() {
		a.line("\nRotation in step %s: %s", r.Step, r.Message)
		for _, blocker := range r.Blockers {
			a.line("  %s", blocker)
		}
	}
	if !complete || tree.Rotation != nil && len(tree.Rotation.Blockers) > 0 {
		return silent{exitFailed}
	}
	return nil
}

// describeIssuance prints what differs from the usual: an external issuer of workload certificates, and several trust domains.
func (a *app) describeIssuance(status v1alpha1.CertificatesStatus) {
	if status.WorkloadIssuer != "" {
		a.line("\nCertificates of workloads are requested of the %s of cert-manager, which leads to the same root.", status.WorkloadIssuer)
	}
	if len(status.AcceptedTrustDomains) > 0 {
		a.line("\nCertificates are issued in the trust domain %s. Accepted are %s.", status.TrustDomain, strings.Join(status.AcceptedTrustDomains, " and "))
	}
}

// declaredMesh reads a Mesh whose status describes its certificates.
func declaredMesh(ctx context.Context, c client.Client, m mesh) (*v1alpha1.Mesh, error) {
	if !m.Declared {
		return nil, fmt.Errorf("mesh %s in namespace %s has no Mesh object: its certificates are those of the tool that installed it", m.Name, m.Namespace)
	}
	live := &v1alpha1.Mesh{}
	if err := c.Get(ctx, client.ObjectKey{Name: m.Name}, live); err != nil {
		return nil, err
	}
	if live.Status.Certificates == nil {
		return nil, fmt.Errorf("the status of Mesh %s has no certificates: it is not installed yet, or its operator is older than this program; see `osm status`", m.Name)
	}
	return live, nil
}

// rotationOf returns the step of a rotation, or nil.
func rotationOf(live *v1alpha1.Mesh) *rotationState {
	c := meta.FindStatusCondition(live.Status.Conditions, v1alpha1.ConditionRotatingAuthority)
	if c == nil {
		return nil
	}
	state := &rotationState{Step: c.Reason, Message: c.Message}
	if live.Status.Certificates != nil {
		state.Blockers = live.Status.Certificates.Blockers
	}
	return state
}
