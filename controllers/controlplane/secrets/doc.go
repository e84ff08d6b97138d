// Package secrets reads the Secrets, and the ConfigMaps with certificate authorities, that objects of users refer to. The control plane may get them
// by name only where the owner of their namespace allows it, so it cannot watch them.
//
// Names flow in; contents, or why there are none, and changes of catalog entries flow out.
package secrets
