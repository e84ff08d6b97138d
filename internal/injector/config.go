package injector

// Config configures an injector. All fields but Revision, WebhookClientCA and XDSHost are required.
type Config struct {
	// Mesh is the name of the mesh. Namespaces with this label value belong to it.
	Mesh string
	// Namespace is the namespace of the control plane and its MeshConfig.
	Namespace string
	// TrustDomain is the suffix of workload principals.
	TrustDomain string
	// Revision is the name of the MeshRevision that this process is part of.
	Revision string
	// LogLevel is the log level until the MeshConfig is read.
	LogLevel string
	// WebhookCertDir has tls.crt and tls.key of the webhook.
	WebhookCertDir string
	// WebhookClientCA has PEM certificates of authorities whose clients may connect to the webhook. Empty means any client.
	WebhookClientCA string
	// XDSHost is the host that new sidecars connect to. Empty means the Service of the control plane in its namespace.
	XDSHost string
	// EnvoyImage and InitImage are the images of new sidecars, unless the MeshConfig has others.
	EnvoyImage, InitImage string
	// WebhookAddress and HealthAddress are those of the servers.
	WebhookAddress, HealthAddress string
}
