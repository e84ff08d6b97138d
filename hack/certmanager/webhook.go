package main

import (
	"context"
	"time"

	"github.com/cert-manager/cert-manager/internal/apis/config/shared"
	config "github.com/cert-manager/cert-manager/internal/apis/config/webhook"
	"github.com/cert-manager/cert-manager/internal/webhook"
	"k8s.io/klog/v2"
)

const (
	// webhookService is the Service of the webhook.
	webhookService = "cert-manager-webhook"
	webhookPort    = 10250
	healthPort     = 6080
)

// runWebhook serves admission of cert-manager's kinds. It keeps its certificate in a Secret, from which the injector copies the trust.
func runWebhook(ctx context.Context, _ []string) error {
	server, err := webhook.NewCertManagerWebhookServer(klog.Background(), config.WebhookConfiguration{
		SecurePort: webhookPort, HealthzPort: healthPort, MetricsListenAddress: "0",
		TLSConfig: shared.TLSConfig{Dynamic: shared.DynamicServingConfig{
			SecretNamespace: namespace, SecretName: webhookService + "-ca",
			DNSNames: []string{webhookService + "." + namespace + ".svc"}, LeafDuration: 7 * 24 * time.Hour,
		}},
	})
	if err != nil {
		return err
	}
	return server.Run(ctx)
}
