package thirdparty

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
	"github.com/openservicemesh/osm-operator/hack/internal/retry"
)

//go:embed *.yaml
var manifests embed.FS

// Controllers are programs that are installed together.
type Controllers struct {
	// Name is that of the server and of its command, and Title what texts call it.
	Name, Title string
	// Short, Up and Down describe its command and the subcommands that install and remove it.
	Short, Up, Down string
	// Loaded is true if its installation also builds and loads the images, and Built if a subcommand only builds them.
	Loaded, Built bool
	namespace     string
	deployments   []string
	// installed is called after the installation, and removed before the removal; both may be nil.
	installed, removed func(context.Context, kubectl.Client) error
}

// All returns everything that can be installed.
func All() []Controllers {
	return []Controllers{
		{
			Name: "approver-policy", Title: "approver-policy", Loaded: true, namespace: "cert-manager", deployments: []string{"approver-policy"},
			Short: "Let policies of cert-manager's approver-policy decide about CertificateRequests",
			Up:    "Install approver-policy instead of the approver of cert-manager, which must be installed",
			Down:  "Remove approver-policy with its policies, and let the approver of cert-manager decide again",
			// Without its own approver, which approves everything.
			installed: setArguments(`["controller","--controllers=*,-certificaterequests-approver"]`), removed: setArguments(`["controller"]`),
		},
		{
			Name: "cert-manager", Title: "cert-manager", Loaded: true, Built: true, installed: awaitWebhook,
			namespace: "cert-manager", deployments: []string{"cert-manager", "cert-manager-cainjector", "cert-manager-webhook"},
			Short: "Install cert-manager in the cluster, to try and test it as a certificate provider",
			Up:    "Install cert-manager and wait until it admits objects",
			Down:  "Remove cert-manager with all its objects",
		},
		{
			Name: "vault", Title: "Vault", Loaded: true, Built: true, namespace: "vault", deployments: []string{"vault"},
			Short: "Install a Vault without content in the cluster, to test it as a certificate provider",
			Up:    "Install Vault and wait until it answers",
			Down:  "Remove Vault with its content",
		},
		loadedBefore("argo-rollouts", "controller of Argo Rollouts", "restarts of its workloads", "argo-rollouts", "argo-rollouts"),
		loadedBefore("flux", "source and kustomize controllers of Flux", "a mesh in Git", "flux-system", "source-controller", "kustomize-controller"),
		loadedBefore("kruise", "controllers of OpenKruise", "restarts of their workloads", "kruise-system", "kruise"),
		loadedBefore("metrics-server", "metrics-server", "autoscaling", "metrics-server", "metrics-server"),
		loadedBefore("olm", "Operator Lifecycle Manager", "the bundle", "olm", "olm", "catalog"),
		loadedBefore("prometheus-operator", "prometheus-operator", "the objects for it", "prometheus-operator", "prometheus-operator"),
	}
}

// loadedBefore returns controllers whose images another command loads. The purpose is what they are installed for.
func loadedBefore(name, title, purpose, namespace string, deployments ...string) Controllers {
	return Controllers{
		Name: name, Title: "the " + title, namespace: namespace, deployments: deployments,
		Short: "Install the " + title + " in the cluster, to test " + purpose,
		Up:    "Install the " + title + " and wait for the pods; load-servers loads the images",
		Down:  "Remove the " + title + " with the kinds and all their objects",
	}
}

// Install applies the definitions in a folder and the manifests, and waits until the Deployments have their pods.
func (c Controllers) Install(ctx context.Context, k kubectl.Client, definitions string) error {
	text, err := c.manifests()
	if err != nil {
		return err
	}
	if err := k.Install(ctx, definitions, text); err != nil {
		return err
	}
	if err := k.Await(ctx, c.namespace, c.deployments...); err != nil || c.installed == nil {
		return err
	}
	return c.installed(ctx, k)
}

// Remove deletes the manifests, and the kinds with all their objects.
func (c Controllers) Remove(ctx context.Context, k kubectl.Client, definitions string) error {
	text, err := c.manifests()
	if err != nil {
		return err
	}
	if c.removed != nil {
		err = c.removed(ctx, k)
	}
	return errors.Join(err, k.Remove(ctx, definitions, text))
}

func (c Controllers) manifests() (string, error) {
	text, err := manifests.ReadFile(c.Name + ".yaml")
	return string(text), err
}

// setArguments sets the arguments of cert-manager's controller.
func setArguments(args string) func(context.Context, kubectl.Client) error {
	patch := `[{"op":"replace","path":"/spec/template/spec/containers/0/args","value":` + args + `}]`
	return func(ctx context.Context, k kubectl.Client) error {
		if _, err := k.Run(ctx, "", "--namespace", "cert-manager", "patch", "deployment", "cert-manager", "--type=json", "--patch", patch); err != nil {
			return err
		}
		return k.Await(ctx, "cert-manager", "cert-manager")
	}
}

// webhookLimit is the time limit until the API server can call the webhook of cert-manager.
const webhookLimit = time.Minute

// trial is an object that only a running webhook admits.
const trial = `apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: osm-trial}
spec: {selfSigned: {}}
`

// awaitWebhook repeats a dry run of an object until the webhook admits it. The injector adds the trust of the webhook late.
func awaitWebhook(ctx context.Context, k kubectl.Client) error {
	err := retry.Until(ctx, webhookLimit, 200*time.Millisecond, func(ctx context.Context) error {
		_, err := k.Run(ctx, trial, "create", "--dry-run=server", "-f", "-")
		return err
	})
	if err != nil {
		return fmt.Errorf("cert-manager does not admit objects after %s: %w", webhookLimit, err)
	}
	return nil
}
