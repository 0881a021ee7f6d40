"""apischema"""
