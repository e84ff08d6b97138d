package v1alpha1

import "time"

// Defaults of a Mesh. The operator and the CLI share these values, and a test compares the documentation with them. They are never
// written into a spec. The default namespace and trust domain are those of Open Service Mesh, see internal/platform/names.
const (
	// DefaultReplicas is the number of pods of the controller and of the injector.
	DefaultReplicas int32 = 2
	// DefaultTargetCPUUtilizationPercentage is the average CPU usage that autoscaling aims for, in percent of the CPU request.
	DefaultTargetCPUUtilizationPercentage int32 = 80
	// DefaultControlPlaneLogLevel is the log level of the controller and of the injector.
	DefaultControlPlaneLogLevel = "info"
	// DefaultECDSAKeySize is the curve size, in bits, when the key algorithm is ECDSA: P-256.
	DefaultECDSAKeySize int32 = 256
	// DefaultRSAKeySize is the modulus size, in bits, when the key algorithm is RSA.
	DefaultRSAKeySize int32 = 2048
)

// KeyAlgorithm is the algorithm of the private keys of workloads.
// +kubebuilder:validation:Enum=ECDSA;RSA
type KeyAlgorithm string

// The key algorithms.
const (
	// ECDSA keys are small, and fast to generate and to verify. ECDSA is the default.
	ECDSA KeyAlgorithm = "ECDSA"
	// RSA keys are for peers that do not support ECDSA.
	RSA KeyAlgorithm = "RSA"
)

// Defaults of spec.upgrade.
const (
	// DefaultStrategy is the type of the upgrade strategy.
	DefaultStrategy = StrategyInPlace
	// DefaultSoak is how long all gates must pass after a step of an upgrade.
	DefaultSoak = 5 * time.Minute
	// DefaultStepTimeout is how long a step of an upgrade may take to pass all gates.
	DefaultStepTimeout = 10 * time.Minute
	// DefaultMaxErrorRateIncrease is by how many percentage points the share of failed requests may grow.
	DefaultMaxErrorRateIncrease Percentage = "1%"
	// DefaultMaxDisconnected is the share of the running sidecars that may be without a connection to the new control plane.
	DefaultMaxDisconnected = "1%"
	// DefaultMaxRestarts is the number of container restarts that a new control plane may have.
	DefaultMaxRestarts int32 = 2
	// DefaultMaxUnavailable is the share of a namespace's workloads that may be restarting or unready at the same time.
	DefaultMaxUnavailable = "25%"
	// DefaultMaxConcurrentRestarts is the number of workloads of a mesh that may be restarting at the same time.
	DefaultMaxConcurrentRestarts int32 = 10
	// DefaultDrainTimeout is how long connections of an earlier Envoy may last after another one has taken over in its pod.
	DefaultDrainTimeout = time.Hour
	// DefaultPauseBetween is the time between two restarts in a namespace.
	DefaultPauseBetween = 30 * time.Second
	// DefaultPullMode is whether nodes pull the image of sidecars before their pods get it.
	DefaultPullMode = PullAuto
	// DefaultPullParallelism is the number of nodes that pull an image of sidecars at the same time.
	DefaultPullParallelism int32 = 10
)
