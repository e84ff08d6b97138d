// Package debian installs the Debian packages the local cluster needs and the machine lacks.
//
// In: package names. Out: installed packages; nothing is done, and no network used, when all are there.
package debian
