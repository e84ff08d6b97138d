package main

func (p *program) addWebhook() error { return nil }
