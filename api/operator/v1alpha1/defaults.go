package v1alpha1

import "time"

// What an absent field of a Mesh means. The values live here, beside the fields they belong to, so that the
// operator, the CLI and the documentation cannot disagree; nothing writes them into a spec. The default namespace
// and trust domain are part of the contract with users of Open Service Mesh and live in internal/names.
const (
	// DefaultReplicas is the number of pods of the controller and of the injector.
	DefaultReplicas int32 = 2
	// DefaultTargetCPUUtilization is the percentage of the requested CPU that pods use on average under autoscaling.
	DefaultTargetCPUUtilization int32 = 80
	// DefaultControlPlaneLogLevel is the log level of the controller and of the injector.
	DefaultControlPlaneLogLevel = "info"
	// DefaultECDSAKeySize is the curve size, in bits, when the key algorithm is ECDSA: P-256.
	DefaultECDSAKeySize int32 = 256
	// DefaultRSAKeySize is the modulus size, in bits, when the key algorithm is RSA.
	DefaultRSAKeySize int32 = 2048
)

// KeyAlgorithm is the kind of private key of a workload.
// +kubebuilder:validation:Enum=ECDSA;RSA
type KeyAlgorithm string

const (
	// ECDSA keys are small and quick to make and to verify; the default.
	ECDSA KeyAlgorithm = "ECDSA"
	// RSA keys are for peers that cannot verify ECDSA.
	RSA KeyAlgorithm = "RSA"
)

// What absent fields of spec.upgrade mean.
const (
	// DefaultStrategy is how the mesh moves from one version to the next.
	DefaultStrategy = StrategyInPlace
	// DefaultSoak is how long everything must be well after a step of an upgrade.
	DefaultSoak = 5 * time.Minute
	// DefaultStepTimeout is how long a step of an upgrade may take to become well.
	DefaultStepTimeout = 10 * time.Minute
	// DefaultMaxErrorRateIncrease is by how much the share of failed requests may grow.
	DefaultMaxErrorRateIncrease = "1%"
	// DefaultMaxRestarts is how often containers of a new control plane may be restarted.
	DefaultMaxRestarts int32 = 2
	// DefaultMaxUnavailable is how many workloads of a namespace may be restarting at the same time.
	DefaultMaxUnavailable = "25%"
	// DefaultPauseBetween is how long a namespace rests between restarts.
	DefaultPauseBetween = 30 * time.Second
)
