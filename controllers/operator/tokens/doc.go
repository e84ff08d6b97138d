// Package tokens requests the tokens with which the operator reads the reports of control planes.
//
// A replica flows in; a token with the audience of its report API flows out, which is useless at the API server. Versions before v0.2 accept
// only the operator's own token.
package tokens
