package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// rotateOptions are the flags of osm alpha certificate rotate. All but mesh and timeout are OSM's.
type rotateOptions struct {
	mesh, trustDomain, file string
	yes                     bool
	timeout                 time.Duration
}

func (a *app) rotateCommand() *cobra.Command {
	var o rotateOptions
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace the root certificate of a mesh without failed calls",
		Long: `Replace the root certificate of a mesh by a new one. The command sets spec.certificates.rotateRoot of the Mesh to the current time
and waits until the rotation is over. The operator takes each step when every sidecar has confirmed the earlier one. If the command is
interrupted, the rotation continues.`,
		RunE: a.run(func(ctx context.Context, _ []string) error { return a.rotate(ctx, o) }),
	}
	a.addMeshName(cmd, &o.mesh, "")
	f := cmd.Flags()
	f.StringVarP(&o.trustDomain, "trust-domain", "t", "", "trust domain of the mesh; to change it, set spec.certificates.trustDomain of the Mesh")
	f.BoolVarP(&o.yes, "yes", "y", false, "skip the confirmation prompt")
	f.DurationVar(&o.timeout, "timeout", 30*time.Minute, "time to wait until the rotation is over")
	f.StringVarP(&o.file, "file", "f", "", "not supported: replace the Secret osm-ca-bundle to use a root of your own")
	// OSM waited for fixed times between its steps, and kept the old root by default.
	f.BoolP("delete-old", "d", false, "no effect; the old root is always withdrawn at the end")
	f.DurationP("wait", "w", time.Minute, "no effect; each step waits until every sidecar has confirmed it")
	f.BoolP("confirm", "c", false, "no effect; each step waits until every sidecar has confirmed it")
	return cmd
}

func (a *app) rotate(ctx context.Context, o rotateOptions) error {
	if o.file != "" {
		return fmt.Errorf("--file is not supported: to use a root of your own, replace the content of the Secret %s", names.CABundleSecret)
	}
	c, m, err := a.open(ctx, o.mesh)
	if err != nil {
		return err
	}
	live, err := declaredMesh(ctx, c, m)
	if err != nil {
		return err
	}
	if err := checkRotation(live, o.trustDomain, a.trustDomain(ctx, c, m)); err != nil {
		return err
	}
	if err := a.checkDeclaredRoots(ctx, c, m.Namespace); err != nil {
		return err
	}
	yes, err := a.confirm(bufio.NewReader(a.In), o.yes, "--yes", fmt.Sprintf("Replace the root certificate of mesh [%s]?", m.Name))
	if err != nil || !yes {
		return err
	}
	before := live.Status.Certificates.Issuer.Fingerprint
	if err := declareRotation(ctx, c, live, a.now()); err != nil {
		return fmt.Errorf("patch Mesh %s: %w", live.Name, a.kube.Sentence(err))
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	if err := a.waitForRotation(ctx, c, live, before); err != nil {
		return err
	}
	a.line("OSM replaced the root certificate of mesh [%s]: %s", m.Name, live.Status.Certificates.Issuer.Fingerprint)
	return nil
}

// checkDeclaredRoots reports an error if MeshRootCertificates declare roots. The field of the Mesh would replace all of them.
func (a *app) checkDeclaredRoots(ctx context.Context, c client.Reader, namespace string) error {
	var list configv1alpha2.MeshRootCertificateList
	if err := c.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("list the MeshRootCertificates of namespace %s: %w", namespace, a.kube.Sentence(err))
	}
	for i := range list.Items {
		root := &list.Items[i]
		adopted := root.Spec.Provider.Tresor != nil && root.Spec.Provider.Tresor.CA.SecretRef.Name == names.CABundleSecret
		if root.Spec.Role != configv1alpha2.RoleInactive && !adopted {
			return fmt.Errorf("the MeshRootCertificate %s/%s declares a root of this mesh: create another one with the role passive, and give it the role active later", root.Namespace, root.Name)
		}
	}
	return nil
}

// checkRotation reports why the root of a mesh cannot be rotated by its field.
func checkRotation(live *v1alpha1.Mesh, desired, trustDomain string) error {
	if desired != "" && desired != trustDomain {
		return fmt.Errorf("the trust domain of mesh %s is %s: to change it to %s, set spec.certificates.trustDomain of the Mesh", live.Name, trustDomain, desired)
	}
	if certificates := live.Spec.Certificates; certificates != nil && certificates.IssuerRef != nil {
		return fmt.Errorf("cert-manager issues the certificate authority of mesh %s: replace the root of its issuer %q, and the mesh follows", live.Name, certificates.IssuerRef.Name)
	}
	if certificates := live.Spec.Certificates; certificates != nil && certificates.Vault != nil {
		return fmt.Errorf("the Vault at %s signs the certificate authority of mesh %s: replace the root of its PKI and declare another mount, and the mesh follows", certificates.Vault.Address, live.Name)
	}
	if r := rotationOf(live); r != nil {
		return fmt.Errorf("a rotation of mesh %s is in progress, in step %s: see `osm certificates`", live.Name, r.Step)
	}
	return nil
}

// declareRotation sets the name of the new root to a time.
func declareRotation(ctx context.Context, c client.Client, live *v1alpha1.Mesh, now time.Time) error {
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"certificates": map[string]any{"rotateRoot": now.UTC().Format("20060102-150405")}}})
	if err != nil {
		return err
	}
	return c.Patch(ctx, live, client.RawPatch(types.MergePatchType, patch), fieldOwner)
}

// waitForRotation waits until a mesh has another issuer than before and only its root is trusted.
func (a *app) waitForRotation(ctx context.Context, c client.Client, live *v1alpha1.Mesh, before string) error {
	p, last := a.progress(), "the operator has not started the rotation"
	err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
		if err := c.Get(ctx, client.ObjectKeyFromObject(live), live); err != nil {
			return false, err
		}
		certificates, rotation := live.Status.Certificates, rotationOf(live)
		if rotation != nil {
			last = rotation.Step + ": " + rotation.Message
		}
		p.report("%s", last)
		return rotation == nil && certificates != nil && certificates.Issuer.Fingerprint != before && len(certificates.Roots) == 1, nil
	})
	return timedOut(err, "the rotation of mesh %s is not over after %s: %s\nIt continues: see `osm certificates`", live.Name, p.elapsed(), last)
}
