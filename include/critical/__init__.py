"""Critical results told within seconds: live messages are judged by a reviewed policy, somebody is told, and answers for it."""
