package certmanager

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/kubectl"
)

//go:embed manifests.yaml
var manifests string

// webhookLimit is the time limit until the API server can call the webhook.
const webhookLimit = time.Minute

// trial is an object that only a running webhook admits.
const trial = `apiVersion: cert-manager.io/v1
kind: ClusterIssuer
metadata: {name: osm-trial}
spec: {selfSigned: {}}
`

// Install applies the definitions in a folder and the manifests, and waits until cert-manager admits objects.
func Install(ctx context.Context, k kubectl.Client, definitions string) error {
	if err := k.Install(ctx, definitions, manifests); err != nil {
		return err
	}
	if err := k.Await(ctx, "cert-manager", "cert-manager", "cert-manager-cainjector", "cert-manager-webhook"); err != nil {
		return err
	}
	return awaitWebhook(ctx, k)
}

// awaitWebhook repeats a dry run of an object until the webhook admits it. The injector adds the trust of the webhook late.
func awaitWebhook(ctx context.Context, k kubectl.Client) error {
	ctx, cancel := context.WithTimeout(ctx, webhookLimit)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := k.Run(ctx, trial, "create", "--dry-run=server", "-f", "-")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cert-manager does not admit objects after %s: %w", webhookLimit, err)
		case <-tick.C:
		}
	}
}

// Remove deletes cert-manager with its kinds and their objects.
func Remove(ctx context.Context, k kubectl.Client, definitions string) error {
	return k.Remove(ctx, definitions, manifests)
}
