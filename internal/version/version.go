package version

// Version is the release that the program was built from, such as "v0.1.0". Release builds set it with
// -ldflags "-X github.com/openservicemesh/osm-operator/internal/version.Version=v0.1.0"; a plain go build says "dev".
var Version = "dev"

// Commit is the commit that the program was built from, with "-dirty" when files differed from it. Release builds set it as they set
// Version.
var Commit = ""

// Date is the time of the commit, so that building it again gives the same program.
var Date = ""
